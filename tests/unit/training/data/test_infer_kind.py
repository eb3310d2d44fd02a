from typing import Any

import pytest

from training.data.infer_kind import infer_kind
from training.errors import TrainingError
from training.kinds import Kind


def located(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"train.jsonl, line {number}", row) for number, row in enumerate(rows, start=1)]


def pairs(*labels: Any) -> list[dict[str, Any]]:
    return [{"text": "a", "text_pair": "b", "label": label} for label in labels]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a", "label": "x"}, Kind.CLASSIFICATION),
        ({"text": "a", "label": 1}, Kind.CLASSIFICATION),
        ({"text": "a", "text_pair": None, "label": 1}, Kind.CLASSIFICATION),
        ({"text": "a", "text_pair": "b", "label": 1}, Kind.PAIR_CLASSIFICATION),
        ({"text": "a", "text_pair": "b", "label": 1.0}, Kind.PAIR_REGRESSION),
        ({"text": "a", "label": ["x"]}, Kind.MULTI_LABEL),
        ({"text": "a", "label": []}, Kind.MULTI_LABEL),
        ({"tokens": ["a"], "tags": ["O"], "intent": "x"}, Kind.TAGGING),
        ({"tokens": ["a"], "tags": ["O"], "label": "x"}, Kind.TAGGING),
        ({"tokens": ["a"], "intent": "x"}, Kind.CLASSIFICATION),
        ({"tokens": ["a"], "label": "x"}, Kind.CLASSIFICATION),
        ({"tokens": ["a"], "label": ["x"]}, Kind.MULTI_LABEL),
    ],
)
def test_kind_is_told_from_the_fields(row: dict[str, Any], kind: Kind) -> None:
    assert infer_kind(located([row, row])) is kind


@pytest.mark.parametrize("row", [{"text": "a"}, {"label": "x"}, {"tokens": ["a"]}, {"tags": ["O"]}, {}])
def test_first_row_that_fits_no_kind_is_refused_naming_line_and_fields(row: dict[str, Any]) -> None:
    with pytest.raises(TrainingError) as error:
        infer_kind(located([row, {"text": "a", "label": "x"}]))
    assert str(error.value).startswith("train.jsonl, line 1: ")
    assert str(sorted(row)) in str(error.value)


@pytest.mark.parametrize("labels", [(1, 2.5), (2.5, 1), (0, 0, 0, 1.0)])
def test_scores_with_and_without_a_fraction_are_regression(labels: tuple[float, ...]) -> None:
    assert infer_kind(located(pairs(*labels))) is Kind.PAIR_REGRESSION


def test_numbers_and_names_of_classes_may_be_mixed() -> None:
    assert infer_kind(located(pairs(1, "x", 0))) is Kind.PAIR_CLASSIFICATION


def test_later_row_without_a_field_is_left_to_the_reading_of_rows() -> None:
    assert infer_kind(located([*pairs(1), {"text": "a"}])) is Kind.PAIR_CLASSIFICATION


@pytest.mark.parametrize(
    ("rows", "lines", "kinds"),
    [
        (pairs(2.5, 1, "x"), (1, 3), ("pair_regression", "pair_classification")),
        (
            [{"text": "a", "label": "x"}] * 2 + [{"text": "a", "label": ["x"]}],
            (1, 3),
            ("classification", "multi_label"),
        ),
        ([{"text": "a", "label": "x"}, *pairs(1)], (1, 2), ("classification", "pair_classification")),
        ([{"tokens": ["a"], "tags": ["O"]}, {"text": "a", "label": "x"}], (1, 2), ("tagging", "classification")),
    ],
)
def test_rows_of_two_kinds_are_refused_naming_a_line_of_each(
    rows: list[dict[str, Any]], lines: tuple[int, int], kinds: tuple[str, str]
) -> None:
    with pytest.raises(TrainingError) as error:
        infer_kind(located(rows))
    message = str(error.value)
    assert message.startswith(f"train.jsonl, line {lines[1]}: this row reads as {kinds[1]}, ")
    assert f"but train.jsonl, line {lines[0]} as {kinds[0]}: " in message
