import warnings

import pytest

from training.data.example import Example
from training.data.labels import check_labels, label_names, labels_of, names_of, warn_of_single_examples
from training.errors import TrainingError, TrainingWarning
from training.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "label", "names"),
    [
        (Kind.CLASSIFICATION, "x", ("x",)),
        (Kind.PAIR_REGRESSION, 2.5, ()),
        (Kind.MULTI_LABEL, ("x", "y"), ("x", "y")),
        (Kind.TAGGING, ("O", "B-x", "I-x", "B-y"), ("x", "x", "y")),
    ],
)
def test_names_are_the_labels_as_people_write_them(
    kind: Kind, label: str | float | tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert names_of(Example("a", label), kind) == names


def test_inside_tag_without_a_begin_tag_gets_both_labels() -> None:
    assert label_names([Example("a b", ("I-x", "O"))], Kind.TAGGING) == ("O", "B-x", "I-x")


def test_declared_names_keep_their_order() -> None:
    assert labels_of(["y", "x"], Kind.TAGGING) == ("O", "B-y", "I-y", "B-x", "I-x")
    assert labels_of(["y", "x"], Kind.MULTI_LABEL) == ("y", "x")


def test_unknown_labels_are_counted_and_three_are_named_in_the_order_of_the_rows() -> None:
    labels = ["a", "d", "z", "d", "c", "b"]
    located = [(f"dev.csv, line {number}", Example("t", label)) for number, label in enumerate(labels, start=2)]
    with pytest.raises(TrainingError) as error:
        check_labels(located, ("a",), Kind.CLASSIFICATION, "is odd", "mend it")
    assert str(error.value) == (
        "dev.csv, line 3: the label 'd' is odd (5 rows have such a label: 'd', 'z', 'c' and 1 more): mend it."
    )


def test_unknown_span_type_is_named_without_its_tag() -> None:
    located = [("dev.csv, line 2", Example("a b c", ("B-y", "I-y", "O")))]
    with pytest.raises(TrainingError) as error:
        check_labels(located, ("O", "B-x", "I-x"), Kind.TAGGING, "is odd", "mend it")
    assert str(error.value) == "dev.csv, line 2: the label 'y' is odd (1 row has such a label: 'y'): mend it."


@pytest.mark.parametrize(
    ("kind", "labels", "part"),
    [
        (Kind.CLASSIFICATION, ["a", "a", "b"], "1 label has only one training row ('b')"),
        (Kind.MULTI_LABEL, [("a", "b"), ("a",), ()], "1 label has only one training row ('b')"),
        (Kind.TAGGING, [("B-a", "I-a", "B-a"), ("B-b",), ("B-b",)], "1 label has only one training row ('a')"),
        (Kind.CLASSIFICATION, list("edcba"), "5 labels have only one training row ('a', 'b', 'c' and 2 more)"),
    ],
)
def test_labels_of_one_row_are_warned_of_once(kind: Kind, labels: list[str | tuple[str, ...]], part: str) -> None:
    with pytest.warns(TrainingWarning) as caught:
        warn_of_single_examples([Example("t", label) for label in labels], kind, "folder")
    assert len(caught) == 1
    assert str(caught[0].message).startswith(f"folder: {part}: add rows")


@pytest.mark.parametrize(("kind", "label"), [(Kind.CLASSIFICATION, "a"), (Kind.PAIR_REGRESSION, 2.5)])
def test_labels_of_more_rows_are_not_warned_of(kind: Kind, label: str | float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_single_examples([Example("t", label), Example("u", label)], kind, "folder")
        warn_of_single_examples([Example("t", 1.0)], Kind.PAIR_REGRESSION, "folder")
