import copy
from dataclasses import replace

import pytest

from training.report.collected_results import CollectedResults
from training.report.comparison_columns import (
    Column,
    distilled_columns,
    full_fine_tuning_column,
    joint_columns,
    lora_columns,
    suite_column,
    vanilla_columns,
    without_distillation_column,
)
from training.report.numbers import percent, points
from training.selection.mixed import mixed


def test_the_papers_rows_come_out(paper: CollectedResults) -> None:
    """Table 2 and Appendix D; their three misprints (KD-1's average, two overheads) as their scores give them."""
    columns = [full_fine_tuning_column(paper), *distilled_columns(paper), without_distillation_column(paper)]
    columns += [suite_column(mixed(paper.options, c)) for c in (1, 2, 3)]
    printed = {
        column.name: (
            points(column.average(paper.glue)),
            column.layers(paper.glue),
            percent(column.overhead(paper.glue, paper.encoder_layers)),
        )
        for column in columns
    }
    assert printed == {
        "full fine-tuning": ("82.8", 96, "100.0 %"),
        "KD-1": ("77.7", 15, "15.6 %"),
        "KD-2": ("79.7", 23, "24.0 %"),
        "KD-3": ("81.3", 31, "32.3 %"),
        "w/o KD": ("83.2", 67, "69.8 %"),
        "mixed (c = 1)": ("82.5", 33, "34.4 %"),
        "mixed (c = 2)": ("80.4", 20, "20.8 %"),
        "mixed (c = 3)": ("79.9", 18, "18.8 %"),
    }


def test_a_missing_score_leaves_no_average_layers_or_overhead(results: CollectedResults) -> None:
    full = full_fine_tuning_column(results)
    assert sorted(full.scores) == ["rte", "stsb", "topics"]
    assert (full.average(results.names), full.layers(results.names), full.overhead(results.names, 6)) == (None,) * 3
    assert full.average(["rte", "stsb"]) == (71.0 + 88.5) / 2
    assert full.layers(["rte", "stsb"]) == 12


def test_kd_keeps_the_teacher_where_that_has_no_more_layers(results: CollectedResults) -> None:
    first, second = distilled_columns(results)
    assert (first.name, first.marks) == ("KD-1", {})
    assert second.scores == {"rte": 65.5, "stsb": 88.0, "slots": 94.0, "topics": 76.0}
    assert second.marks == {"stsb": "T2"}
    # taps: rte 6 - 4, stsb 6 - 2, slots and topics 6 - 3
    assert second.layers(results.names) == 4 + 2 + 2 + 2 + 2


def test_vanilla_students_stand_on_the_teachers_tap(results: CollectedResults) -> None:
    first, second = vanilla_columns(results)
    assert first.scores == {"rte": 60.0, "stsb": 80.0}
    assert first.shapes == {"rte": (2, 1), "stsb": (4, 1)}
    assert (second.name, second.scores) == ("vanilla KD-2", {"rte": 63.0})


def test_mt_dnn_is_one_encoder_for_all_and_leave_one_out_is_not_served(results: CollectedResults) -> None:
    full, left_out = joint_columns(results)
    assert full.layers(results.names) == 6
    assert full.overhead(results.names, 6) == 1 / 4
    assert (sorted(left_out.scores), left_out.layers(results.names)) == (["slots", "stsb", "topics"], None)


def test_mixed_says_which_branch_each_score_is_of(results: CollectedResults) -> None:
    column = suite_column(mixed(results.options, 1))
    assert column.marks == {"rte": "T4", "stsb": "s1", "slots": "T3", "topics": "s1"}
    assert column.scores == {"rte": 70.0, "stsb": 87.5, "slots": 95.0, "topics": 76.5}


def test_a_share_compares_only_tasks_that_both_have() -> None:
    full = Column("full", {"a": 80.0, "b": 60.0}, {})
    other = Column("other", {"a": 76.0, "c": 10.0}, {})
    assert other.share_of(full, ["a", "b", "c"]) == pytest.approx(0.95)
    assert other.share_of(full, ["c"]) is None


def test_lora_is_a_whole_encoder_per_task_and_held_rows_give_the_scores_that_are_told(
    results: CollectedResults,
) -> None:
    assert lora_columns(results) == []
    rte = copy.deepcopy(results.tasks[0])
    full = next(trial for trial in rte.result.trials if trial.role == "full")
    rte.result.held_rows = 100
    held = {"held_scores": {"accuracy": 60.0}, "draws": [59.0, 61.0], "role": "lora"}
    rte.result.trials.append(full.model_copy(update=held))
    (column,) = lora_columns(replace(results, tasks=[rte, *results.tasks[1:]]))
    assert column.scores == {"rte": 60.0}
    assert column.shapes == {"rte": (0, 6)}
    assert column.error("rte") == pytest.approx(2**0.5)
    assert (column.error("stsb"), column.average_error(["rte", "stsb"])) == (None, None)
