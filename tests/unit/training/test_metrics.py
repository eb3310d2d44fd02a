import math
import warnings

import pytest

from training.errors import TrainingError
from training.kinds import Kind
from training.metrics import check_metric, constant_score, score


def test_binary_metrics_by_hand() -> None:
    golds, predictions = list("11110000"), list("11100001")  # tp 3, fn 1, fp 1, tn 3
    predictions[6] = "1"  # fp 2, tn 2
    got = score(Kind.CLASSIFICATION, ("0", "1"), predictions, golds)
    matthews = (3 * 2 - 2 * 1) / math.sqrt((3 + 2) * (3 + 1) * (2 + 2) * (2 + 1))
    f1_of_1, f1_of_0 = 2 * 3 / (2 * 3 + 2 + 1), 2 * 2 / (2 * 2 + 1 + 2)
    assert got == pytest.approx(
        {
            "accuracy": 100 * 5 / 8,
            "f1": 100 * f1_of_1,
            "f1_macro": 100 * (f1_of_1 + f1_of_0) / 2,
            "matthews": 100 * matthews,
        },
        abs=1e-4,
    )


def test_binary_f1_is_that_of_class_1_where_only_class_0_is_right() -> None:
    assert score(Kind.PAIR_CLASSIFICATION, ("0", "1"), ["0", "0", "0"], ["0", "0", "1"])["f1"] == 0


def test_more_than_two_classes_have_no_binary_f1() -> None:
    got = score(Kind.CLASSIFICATION, ("a", "b", "c"), ["a", "b", "b"], ["a", "b", "c"])
    assert "f1" not in got
    assert got["accuracy"] == pytest.approx(66.6667)
    assert got["f1_macro"] == pytest.approx(100 * (1 + 2 / 3 + 0) / 3, abs=1e-4)


def test_correlations_by_hand() -> None:
    golds, predictions = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0]
    assert score(Kind.PAIR_REGRESSION, (), predictions, golds) == pytest.approx({"pearson": 80.0, "spearman": 80.0})
    curved = score(Kind.PAIR_REGRESSION, (), [1.0, 10.0, 100.0, 1000.0], golds)
    assert curved["spearman"] == pytest.approx(100)
    assert curved["pearson"] == pytest.approx(
        100 * 1543.5 / math.sqrt(5 * sum((x - 277.75) ** 2 for x in (1, 10, 100, 1000))), abs=1e-3
    )


@pytest.mark.parametrize(("predictions", "golds"), [([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 1.0])])
def test_correlation_of_constant_values_is_0(predictions: list[float], golds: list[float]) -> None:
    assert score(Kind.PAIR_REGRESSION, (), predictions, golds) == {"pearson": 0.0, "spearman": 0.0}


def test_tagging_counts_whole_spans() -> None:
    golds = [["B-a", "I-a", "O", "B-b"], ["B-a", "B-a", "O"]]  # 4 spans
    predictions = [["B-a", "O", "O", "B-b"], ["B-a", "B-a", "B-b"]]  # 5 spans, 3 right
    got = score(Kind.TAGGING, ("O", "B-a", "I-a", "B-b", "I-b"), predictions, golds)
    assert got == pytest.approx(
        {"span_precision": 60.0, "span_recall": 75.0, "span_f1": 100 * 2 * 3 / (4 + 5), "word_accuracy": 100 * 5 / 7},
        abs=1e-4,
    )


def test_span_of_the_wrong_type_is_wrong() -> None:
    assert score(Kind.TAGGING, ("O", "B-a", "B-b"), [["B-a"]], [["B-b"]])["span_f1"] == 0


def test_multi_label_metrics_by_hand() -> None:
    golds, predictions = [["a"], ["a", "b"], [], ["c"]], [["a"], ["a"], [], ["b"]]
    got = score(Kind.MULTI_LABEL, ("a", "b", "c"), predictions, golds)
    # a: tp 2; b: fp 1, fn 1; c: fn 1
    assert got == pytest.approx({"f1_macro": 100 / 3, "f1_micro": 100 * 4 / (4 + 1 + 2), "exact_match": 50.0}, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "labels", "known"),
    [
        (Kind.CLASSIFICATION, ("0", "1"), ["accuracy", "f1", "f1_macro", "matthews"]),
        (Kind.PAIR_CLASSIFICATION, ("a", "b", "c"), ["accuracy", "f1_macro", "matthews"]),
        (Kind.PAIR_REGRESSION, (), ["pearson", "spearman"]),
        (Kind.TAGGING, ("O", "B-a", "I-a"), ["span_f1", "span_precision", "span_recall", "word_accuracy"]),
        (Kind.MULTI_LABEL, ("a", "b"), ["exact_match", "f1_macro", "f1_micro"]),
    ],
)
def test_metric_of_another_kind_is_refused_naming_the_known_ones(
    kind: Kind, labels: tuple[str, ...], known: list[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in known:
            check_metric(name, kind, labels)
        assert kind.default_metric in known
        with pytest.raises(
            TrainingError, match=f"'bleu' is not a metric of {kind} tasks; choose one of {', '.join(known)}"
        ):
            check_metric("bleu", kind, labels)


@pytest.mark.parametrize(
    ("kind", "metric", "golds", "expected"),
    [
        (Kind.CLASSIFICATION, "accuracy", ["a", "b", "b", "b"], 75.0),
        (Kind.CLASSIFICATION, "matthews", ["a", "b", "b", "b"], 0.0),
        (Kind.PAIR_REGRESSION, "spearman", [0.1, 0.5, 0.9], 0.0),
        (Kind.TAGGING, "span_f1", [["O", "B-a"], ["B-a"]], 0.0),
        (Kind.TAGGING, "word_accuracy", [["O", "B-a"], ["O"]], 66.6667),
        (Kind.MULTI_LABEL, "exact_match", [[], [], ["a"]], 66.6667),
        (Kind.MULTI_LABEL, "f1_micro", [["a"], ["a"], ["b"]], 66.6667),
    ],
)
def test_the_score_of_one_answer_for_all_rows_is_that_of_the_best_such_answer(kind, metric, golds, expected):
    assert constant_score(kind, ["a", "b"], metric, golds) == pytest.approx(expected, abs=1e-3)
