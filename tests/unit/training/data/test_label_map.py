from pathlib import Path

import pytest

from training.data.example import Example
from training.data.label_map import apply_label_map, check_label_map
from training.errors import TrainingError
from training.kinds import Kind

LABEL_MAP = {"city_name": "city", "town": "city", "noise": None, "a": "b", "b": "a"}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (Kind.CLASSIFICATION, "town", "city"),
        (Kind.CLASSIFICATION, "other", "other"),
        (Kind.CLASSIFICATION, "a", "b"),
        (Kind.PAIR_CLASSIFICATION, "b", "a"),
        (Kind.MULTI_LABEL, ("town", "noise", "city_name", "x"), ("city", "x")),
        (Kind.MULTI_LABEL, ("noise",), ()),
        (
            Kind.TAGGING,
            ("B-city_name", "I-city_name", "O", "B-noise", "I-noise", "B-date"),
            ("B-city", "I-city", "O", "O", "O", "B-date"),
        ),
    ],
)
def test_labels_get_their_new_names_and_nothing_else_changes(
    kind: Kind, old: str | tuple[str, ...], new: str | tuple[str, ...]
) -> None:
    example = Example("a text", old, "a pair", ((0, 1),))
    assert apply_label_map([("here", example)], kind, LABEL_MAP) == [
        ("here", Example("a text", new, "a pair", ((0, 1),)))
    ]


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION])
def test_rows_of_a_dropped_class_go_and_the_others_keep_their_line(kind: Kind) -> None:
    located = [("line 1", Example("a", "noise")), ("line 2", Example("b", "x"))]
    assert apply_label_map(located, kind, LABEL_MAP) == [("line 2", Example("b", "x"))]


def test_old_name_that_no_row_has_is_refused(tmp_path: Path) -> None:
    check_label_map({"x": "y"}, [Example("a", "x")], Kind.CLASSIFICATION, tmp_path)
    with pytest.raises(TrainingError, match=r"task\.json: `label_map` names 'z', which no row"):
        check_label_map({"x": "y", "z": None}, [Example("a", "x")], Kind.CLASSIFICATION, tmp_path)


def test_old_tag_in_place_of_a_span_type_is_refused_saying_so(tmp_path: Path) -> None:
    example = Example("a", ("B-city",))
    check_label_map({"city": None}, [example], Kind.TAGGING, tmp_path)
    with pytest.raises(TrainingError, match=r"names 'B-city'.*span types, without B- and I-"):
        check_label_map({"B-city": None}, [example], Kind.TAGGING, tmp_path)
