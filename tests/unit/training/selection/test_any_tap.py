import pytest

from training.errors import TrainingError
from training.selection.any_tap import mixed_of_any_tap
from training.selection.mixed import mixed
from training.selection.options import Option, Options, TaskOptions


def task(teacher: tuple[int, float], students: dict[int, float], others: dict[tuple[int, int], float]) -> TaskOptions:
    """teacher: (L, score) of an encoder of 6 layers. students: l -> score. others: (tap, l) -> score."""
    tap = 6 - teacher[0]
    return TaskOptions(
        Option("teacher", teacher[0], tap, teacher[1]),
        {layers: Option("student", layers, tap, score) for layers, score in students.items()},
        other_taps=tuple(Option("student", layers, at, score) for (at, layers), score in others.items()),
    )


def chosen(options: Options, threshold: float) -> dict[str, tuple[int, int]]:
    """task -> (tap, layers)."""
    suite = mixed_of_any_tap(options, threshold)
    return {name: (option.tap, option.layers) for name, option in suite.tasks.items()}


def test_without_other_taps_the_choice_is_that_of_mixed_with_the_trunk_it_needs(paper: Options) -> None:
    for threshold in (1, 2, 3):
        ours, theirs = mixed_of_any_tap(paper, threshold), mixed(paper, threshold)
        assert ours.total_layers <= theirs.total_layers
        assert ours.trunk_depth <= theirs.trunk_depth


def test_a_deeper_tap_replaces_layers_where_the_trunk_is_that_deep_anyway() -> None:
    options = Options(
        6,
        {
            "a": task((2, 90.0), {1: 90.0}, {}),  # its student reads at tap 4
            "b": task((4, 80.0), {1: 70.0, 2: 79.0}, {(4, 1): 79.5}),
        },
    )
    assert chosen(options, 1.0) == {"a": (4, 1), "b": (4, 1)}


def test_the_trunk_grows_only_where_its_layers_bring_enough_over_all_tasks() -> None:
    def options(gain: float) -> Options:
        one = task((4, 80.0), {1: 79.0}, {(4, 1): 79.0 + gain})
        return Options(6, {"a": one, "b": one})

    # From tap 2 to 4 the trunk has two layers more: the two tasks must gain two points together.
    assert chosen(options(gain=0.9), 1.0) == {"a": (2, 1), "b": (2, 1)}
    assert chosen(options(gain=1.0), 1.0) == {"a": (4, 1), "b": (4, 1)}


def test_a_task_keeps_its_deep_teacher_only_if_the_trunk_carries_it() -> None:
    options = Options(6, {"a": task((1, 95.0), {}, {(1, 1): 50.0}), "b": task((5, 80.0), {1: 80.0}, {})})
    assert chosen(options, 1.0) == {"a": (5, 1), "b": (1, 1)}
    assert chosen(options, 20.0) == {"a": (1, 1), "b": (1, 1)}


def test_a_negative_threshold_is_refused(paper: Options) -> None:
    with pytest.raises(TrainingError, match="threshold must be 0 or more"):
        mixed_of_any_tap(paper, -1.0)
