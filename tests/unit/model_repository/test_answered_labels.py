from dataclasses import replace

from router.answered_labels import MOST_LABELS, NONE, OTHER, answered_labels
from router.registry import Version

VERSION = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")


def test_classes_are_counted_by_label():
    answers = [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.8}, {"label": "a", "score": 0.7}]

    assert answered_labels(VERSION, answers) == {"a": 2, "b": 1}


def test_several_labels_and_spans_are_counted_each_and_none_as_none():
    labels = [{"labels": [{"label": "a"}, {"label": "b"}]}, {"labels": []}]
    spans = [{"spans": [{"label": "time"}, {"label": "time"}]}, {"spans": []}]

    assert answered_labels(replace(VERSION, kind="multi_label"), labels) == {"a": 1, "b": 1, NONE: 1}
    assert answered_labels(replace(VERSION, kind="tagging"), spans) == {"time": 2, NONE: 1}


def test_values_are_counted_by_the_whole_numbers_between_which_they_lie():
    answers = [{"score": value} for value in (-3.0, 0.0, 0.99, 4.2, 6.0, 1e9)]

    found = answered_labels(replace(VERSION, kind="pair_regression", labels=()), answers)

    assert found == {"below 0": 1, "0 to 1": 2, "4 to 5": 1, "6 or more": 2}


def test_a_task_with_thousands_of_labels_has_a_bounded_number_of_series():
    version = replace(VERSION, labels=tuple(f"label {number}" for number in range(5000)))
    answers = [{"label": label, "score": 1.0} for label in version.labels]

    found = answered_labels(version, answers)

    assert len(found) == MOST_LABELS + 1
    assert found[OTHER] == 5000 - MOST_LABELS
    assert sum(found.values()) == 5000


def test_of_a_tagging_task_with_many_labels_the_spans_keep_their_names():
    tags = tuple(f"{prefix}-{number}" for number in range(100) for prefix in "BI")
    version = replace(VERSION, kind="tagging", labels=("O", *tags))

    found = answered_labels(version, [{"spans": [{"label": "3"}, {"label": "99"}]}, {"spans": []}])

    assert found == {"3": 1, OTHER: 1, NONE: 1}
