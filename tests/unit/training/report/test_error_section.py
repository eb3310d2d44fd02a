from collections.abc import Callable
from pathlib import Path

import pytest

from training.kinds import Kind
from training.report.analysis.predicted import Predicted
from training.report.collected_results import CollectedResults, SearchedTask, collect_results
from training.report.error_section import make_error_section
from training.search.result import SearchResult, Trial


@pytest.fixture
def of_classes(
    tmp_path: Path,
    make_result: Callable[..., SearchResult],
    make_trial: Callable[..., Trial],
    write_all: Callable[..., Path],
) -> Callable[[int], SearchedTask]:
    """of_classes(count) is a classification task with `count` classes."""

    def of_classes(count: int) -> SearchedTask:
        trials = [make_trial("teacher", 2, 70.0), make_trial("student", 1, 69.0)]
        one = make_result("intent", trials, 0, Kind.CLASSIFICATION)
        one.labels = [f"class {number}" for number in range(count)]
        return collect_results([write_all(tmp_path, [one])]).tasks[0]

    return of_classes


def named(results: CollectedResults, name: str) -> SearchedTask:
    return results.tasks[results.names.index(name)]


def test_few_classes_have_a_confusion_matrix(of_classes: Callable[[int], SearchedTask]) -> None:
    section = make_error_section(of_classes(20), Predicted(["class 1"] * 277, ["class 2"] * 277))
    assert section.image is not None
    assert section.image.file == "task_intent_confusion.png"
    assert section.table is None
    assert section.sentences[0] == "On all 277 dev rows of the data."


def test_many_classes_have_the_twenty_most_confused_pairs(of_classes: Callable[[int], SearchedTask]) -> None:
    golds = [f"class {number}" for number in range(22) for _ in range(number + 1)]
    section = make_error_section(of_classes(22), Predicted(golds, ["class 0"] * len(golds)))
    assert section.image is None
    assert section.table is not None
    assert section.table.texts == 2
    assert section.table.rows[0] == ["class 21", "class 0", "22", "100.0 %"]
    assert len(section.table.rows) == 20


def test_many_classes_without_an_error_say_so(of_classes: Callable[[int], SearchedTask]) -> None:
    section = make_error_section(of_classes(22), Predicted(["class 1"] * 300, ["class 1"] * 300))
    assert section.table is None
    assert section.sentences == [
        "On all 300 dev rows of the data; the search scored 277 of them.",
        "No row is wrong.",
    ]


def test_tagging_has_a_line_per_type_and_one_of_all(results: CollectedResults) -> None:
    golds = [("B-city", "I-city", "O"), ("B-genre", "O", "O")]
    answers = [["B-city", "O", "O"], ["B-genre", "O", "O"]]
    table = make_error_section(named(results, "slots"), Predicted(golds, answers)).table
    assert table is not None
    # spans, precision, recall, F1, missed, wrong type, wrong boundary, spurious
    assert table.rows == [
        ["city", "1", "0.0", "0.0", "0.0", "0", "0", "1", "0"],
        ["genre", "1", "100.0", "100.0", "100.0", "0", "0", "0", "0"],
        ["all types", "2", "50.0", "50.0", "50.0", "0", "0", "1", "0"],
    ]
    assert len(table.headings) == len(table.rows[0])


def test_more_than_twenty_types_are_cut_and_said(results: CollectedResults) -> None:
    tags = [[f"B-type{number}"] for number in range(21)]
    section = make_error_section(named(results, "slots"), Predicted(tags, [["O"]] * 21))
    assert section.table is not None
    assert len(section.table.rows) == 20 + 1
    assert section.table.rows[-1][:2] == ["all types", "21"]
    assert section.sentences[-1] == "The table has the 20 of its 21 types with the most errors."


def test_multi_label_has_a_line_per_label(results: CollectedResults) -> None:
    predicted = Predicted([("yes",), ()], [["yes"], ["yes"]])
    table = make_error_section(named(results, "topics"), predicted).table
    assert table is not None
    assert table.rows == [["yes", "1", "2", "50.0", "100.0", "66.7"], ["no", "0", "0", "0.0", "0.0", "0.0"]]


def test_regression_has_a_scatter(results: CollectedResults) -> None:
    section = make_error_section(named(results, "stsb"), Predicted([1.0, 2.0], [1.5, 2.5]))
    assert section.image is not None
    assert section.image.file == "task_stsb_scatter.png"
