import numpy as np

from training.report.analysis.confusion import Confusion, confusion_matrix, most_confused

GOLDS = ["a", "a", "a", "b", "b", "c"]
ANSWERS = ["a", "b", "b", "b", "c", "b"]


def test_rows_are_true_classes_and_columns_answers() -> None:
    expected = [[1, 2, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(confusion_matrix(GOLDS, ANSWERS, ["a", "b", "c", "never seen"]), expected)


def test_the_most_confused_pairs_come_first_and_right_answers_never() -> None:
    expected = [Confusion("a", "b", 2, 2 / 3), Confusion("c", "b", 1, 1.0), Confusion("b", "c", 1, 0.5)]
    assert most_confused(GOLDS, ANSWERS, 3) == expected
    assert most_confused(GOLDS, ANSWERS, 1) == expected[:1]
    assert most_confused(GOLDS, GOLDS, 3) == []
