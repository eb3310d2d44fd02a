import random

import pytest

from training.kinds import Kind
from training.metrics import score
from training.report.analysis.spans import SpanErrors, span_errors, sum_of_span_errors

TAGS = ["O", "B-city", "I-city", "B-genre", "I-genre"]


def errors_of(golds: str, answers: str) -> dict[str, SpanErrors]:
    return {entry.type: entry for entry in span_errors([golds.split()], [answers.split()])}


@pytest.mark.parametrize(
    ("gold", "answer", "kind"),
    [
        ("O B-city I-city O", "O O O O", "missed"),
        ("O B-city I-city O", "O B-genre I-genre O", "wrong_type"),
        ("O B-city I-city O", "O B-city O O", "wrong_boundary"),
        ("O B-city I-city O", "B-genre I-genre O O", "wrong_boundary"),
    ],
)
def test_each_kind_of_error_counts_once_and_for_the_true_type(gold: str, answer: str, kind: str) -> None:
    city = errors_of(gold, answer)["city"]
    kinds = ("missed", "wrong_type", "wrong_boundary", "spurious")
    assert {name: getattr(city, name) for name in kinds} == {name: int(name == kind) for name in kinds}
    assert (city.gold, city.right, city.f1) == (1, 0, 0.0)


def test_a_span_where_there_is_none_is_spurious_and_of_its_own_type() -> None:
    entries = errors_of("O B-city O", "B-genre B-city O")
    assert (entries["genre"].spurious, entries["genre"].gold, entries["genre"].predicted) == (1, 0, 1)
    assert (entries["city"].right, entries["city"].wrong) == (1, 0)


def test_a_span_cut_in_two_is_one_wrong_boundary_and_one_spurious() -> None:
    city = errors_of("B-city I-city I-city", "B-city O B-city")["city"]
    assert (city.wrong_boundary, city.spurious, city.missed) == (1, 1, 0)


def test_the_span_of_its_own_type_is_preferred_to_another_that_overlaps_too() -> None:
    entries = errors_of("B-city I-city I-city I-city", "B-genre O B-city I-city")
    assert (entries["city"].wrong_boundary, entries["genre"].spurious) == (1, 1)


def test_counts_add_up_and_the_sum_is_the_metric_on_random_tags() -> None:
    rng = random.Random(0)
    golds = [[rng.choice(TAGS) for _ in range(9)] for _ in range(60)]
    answers = [[tag if rng.random() < 0.7 else rng.choice(TAGS) for tag in tags] for tags in golds]
    entries = span_errors(golds, answers)
    total = sum_of_span_errors(entries)
    metrics = score(Kind.TAGGING, TAGS, answers, golds)
    measures = {"span_precision": total.precision, "span_recall": total.recall, "span_f1": total.f1}
    assert measures == pytest.approx({name: metrics[name] for name in measures}, abs=1e-3)
    assert all(entry.gold == entry.right + entry.wrong_type + entry.wrong_boundary + entry.missed for entry in entries)
    assert total.predicted == total.right + total.wrong_type + total.wrong_boundary + total.spurious
    assert [entry.wrong for entry in entries] == sorted((entry.wrong for entry in entries), reverse=True)
