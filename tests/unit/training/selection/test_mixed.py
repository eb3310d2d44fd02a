import math

import pytest

from training.errors import TrainingError
from training.selection.mixed import distilled, full_fine_tuning, mixed, without_distillation
from training.selection.options import Option, Options, TaskOptions
from training.selection.teacher_choice import choose_teacher


def options(students: dict[int, float], teacher: tuple[int, float], full: float | None = None) -> Options:
    """One task of a 12-layer encoder."""
    layers, score = teacher
    task = TaskOptions(
        Option("teacher", layers, 12 - layers, score),
        {count: Option("student", count, 12 - layers, points) for count, points in students.items()},
        None if full is None else Option("full", 12, 0, full),
    )
    return Options(12, {"task": task})


def layers_of(students: dict[int, float], teacher: tuple[int, float], threshold: float) -> int:
    return mixed(options(students, teacher), threshold).tasks["task"].layers


def test_the_smallest_of_equally_good_teachers_is_chosen() -> None:
    assert choose_teacher({10: 84.5, 8: 84.5, 9: 84.0}) == 8
    assert choose_teacher({8: 84.5, 9: math.nextafter(84.5, 85)}) == 8
    assert choose_teacher({8: 84.5, 9: 84.6}) == 9


def test_the_walk_passes_over_options_that_gain_too_little() -> None:
    assert layers_of({1: 66.1, 2: 64.6, 3: 66.8}, (5, 71.5), threshold=1) == 5
    assert layers_of({1: 66.1, 2: 64.6, 3: 66.8}, (5, 71.5), threshold=2) == 1


def test_the_walk_takes_the_nearest_option_that_gains_enough_not_the_best() -> None:
    # From 1 the teacher gains 1.2 a layer, but from 2, which is nearer, only 0.5.
    assert layers_of({1: 80.0, 2: 82.0}, (4, 83.6), threshold=1) == 2


def test_each_step_is_held_against_the_present_option_not_the_first() -> None:
    # From 1, l = 3 would gain 1.3 a layer; from 2 it gains 0.1.
    assert layers_of({1: 80.0, 2: 82.5, 3: 82.6}, (8, 82.7), threshold=1) == 2


def test_a_gain_that_meets_the_threshold_as_decimals_counts() -> None:
    assert 88.6 - 86.4 < 2.2  # in floating point
    assert layers_of({1: 86.4, 2: 88.6}, (8, 0.0), threshold=2.2) == 2
    assert layers_of({1: 86.4, 2: 88.6}, (8, 0.0), threshold=2.200001) == 1


def test_a_task_may_lack_some_students() -> None:
    assert layers_of({2: 80.0}, (5, 84.0), threshold=1) == 5
    assert layers_of({2: 80.0}, (5, 82.9), threshold=1) == 2
    assert layers_of({}, (1, 70.0), threshold=1) == 1


@pytest.mark.parametrize("threshold", [-0.1, math.nan, math.inf])
def test_a_threshold_that_is_no_number_of_points_is_refused(threshold: float) -> None:
    with pytest.raises(TrainingError, match="threshold must be 0 or more"):
        mixed(options({1: 1.0}, (5, 2.0)), threshold)


def test_kd_takes_the_teacher_where_it_has_no_more_layers() -> None:
    choice = distilled(options({1: 80.0}, (2, 81.0)), 3).tasks["task"]
    assert (choice.role, choice.layers) == ("teacher", 2)


def test_kd_without_that_student_names_the_task() -> None:
    with pytest.raises(TrainingError, match="task task has no student of 3 layers"):
        distilled(options({1: 80.0}, (5, 81.0)), 3)


def test_overhead_counts_the_trunk_once_and_the_baseline_shares_none() -> None:
    two = Options(12, {name: options({1: 80.0}, (5, 81.0), full=82.0).tasks["task"] for name in ("a", "b")})
    assert (distilled(two, 1).total_layers, without_distillation(two).total_layers) == (7 + 2, 7 + 10)
    assert without_distillation(two).overhead == 17 / 24
    assert (full_fine_tuning(two).total_layers, full_fine_tuning(two).overhead) == (24, 1.0)


def test_the_baseline_names_a_task_without_its_score() -> None:
    with pytest.raises(TrainingError, match="task task has no score of full fine-tuning"):
        full_fine_tuning(options({1: 80.0}, (5, 81.0)))


def test_a_student_as_large_as_its_teacher_is_refused() -> None:
    with pytest.raises(TrainingError, match="task task: its student of 3 layers is not smaller than its teacher of 3"):
        options({1: 80.0, 3: 81.0}, (3, 82.0))
