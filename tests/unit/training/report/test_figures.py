import copy
import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.collected_results import CollectedResults
from training.report.figures.confusion_matrix import draw_confusion_matrix
from training.report.figures.convergence import draw_convergence, with_longer_runs
from training.report.figures.learning_curves import draw_learning_curves
from training.report.figures.regression_scatter import draw_regression_scatter
from training.report.figures.search_cost import draw_search_cost
from training.report.figures.student_layers import draw_student_layers, with_both_starts
from training.report.figures.student_taps import draw_student_taps, with_other_taps
from training.report.figures.style import png_of
from training.report.figures.teacher_layers import draw_teacher_layers
from training.report.figures.trade_off import Point, draw_trade_off


def panels_of(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes}


def drawn(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Label -> the points drawn with that label."""
    return {
        str(line.get_label()): [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]
        for line in axes.get_lines()
    }


def test_teachers_are_drawn_with_pruned_trials_and_full_fine_tuning(results: CollectedResults) -> None:
    panels = panels_of(draw_teacher_layers(results.tasks))
    assert list(panels) == results.names
    rte = drawn(panels["rte"])
    assert rte["best teacher of each L"] == [(3, 69.5), (4, 70.0)]
    assert rte["its other trials"] == [(4, 69.0)]
    assert rte["pruned, at its last epoch"] == [(5, 65.0)]
    assert rte["chosen teacher"] == [(4, 70.0)]
    assert {y for _, y in rte["full fine-tuning"]} == {71.0}
    low, high = panels["rte"].get_ylim()
    assert low < 65.0
    assert high > 71.0
    assert "full fine-tuning" not in drawn(panels["slots"])


def test_both_starts_are_drawn_for_the_tasks_that_have_both(results: CollectedResults) -> None:
    tasks = with_both_starts(results.tasks)
    panels = panels_of(draw_student_layers(tasks))
    assert list(panels) == ["rte", "stsb"]
    rte = drawn(panels["rte"])
    assert rte["start from the teacher"] == [(1, 64.0), (2, 65.5)]
    assert rte["start from the pretrained encoder"] == [(1, 60.0), (2, 63.0)]
    assert {y for _, y in rte["the teacher"]} == {70.0}


def test_a_legend_is_not_cut_off_where_there_are_few_panels(results: CollectedResults) -> None:
    figure = draw_student_layers(with_both_starts(results.tasks))
    png_of(figure)
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


def test_search_cost_stacks_the_parts_in_full_fine_tunings(results: CollectedResults) -> None:
    (axes,) = draw_search_cost([task for task in results.tasks if task.name != "slots"]).axes
    bars = {str(bars.get_label()): [(bar.get_x(), bar.get_width()) for bar in bars] for bars in axes.containers}
    assert bars["hidden states of the frozen layers"] == [(0, pytest.approx(0.2))] * 3
    assert bars["students"] == [(pytest.approx(1.75), pytest.approx(0.75))] * 3
    assert [text.get_text() for text in axes.texts] == ["2.5"] * 3
    assert {x for x, _ in drawn(axes)["goal: 3"]} == {3}
    assert axes.get_xlim()[1] > 10


def test_trade_off_has_one_panel_of_shares_or_without_them_of_averages() -> None:
    sweep = [Point("", 0.5, 80.0, 0.99), Point("", 0.3, 79.0, 0.98)]
    marked, fixed = [Point("c = 1", 0.3, 79.0, 0.98)], [Point("KD-1", 0.2, 70.0, 0.9), Point("w/o KD", 0.6, 80.0, 1.0)]
    (axes,) = draw_trade_off(sweep, marked, fixed, 80.5).axes
    assert drawn(axes)["mixed, over all thresholds c"] == [(0.3, 0.98), (0.5, 0.99)]
    assert drawn(axes)["KD-l"] == [(0.2, 0.9)]
    assert drawn(axes)["w/o KD"] == [(0.6, 1.0)]
    assert {y for _, y in drawn(axes)["full fine-tuning"]} == {1.0}
    assert {text.get_text() for text in axes.texts} >= {"c = 1", "KD-1", "w/o KD"}
    (second,) = axes.child_axes
    assert second.get_ylim() == pytest.approx([80.5 * limit for limit in axes.get_ylim()])

    (alone,) = draw_trade_off([Point("", 0.5, 80.0, None)], [], [], None).axes
    assert drawn(alone)["mixed, over all thresholds c"] == [(0.5, 80.0)]
    assert "full fine-tuning" not in drawn(alone)


def test_no_name_of_the_trade_off_lies_on_another_on_a_point_or_on_the_dashed_line() -> None:
    sweep = [Point("", 0.35 + step / 100, 80.0, 0.995 + step / 1000) for step in range(5)]
    marked = [Point(f"c = {4 - step}", 0.35 + step / 100, 80.0, 0.995 + step / 1000) for step in range(4)]
    fixed = [Point("KD-3", 0.36, 80.0, 1.0), Point("KD-2", 0.37, 79.9, 0.999), Point("w/o KD", 0.4, 80.0, 1.0)]
    figure = draw_trade_off(sweep, marked, fixed, 80.0)
    png_of(figure)
    (axes,) = figure.axes
    names = [text for text in axes.texts if text.get_text()]
    boxes = [name.get_window_extent() for name in names]
    assert len(boxes) == 7
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    line = axes.transData.transform((0, 1.0))[1]
    assert not any(box.y0 <= line <= box.y1 for box in boxes)
    for point in (*marked, *fixed):
        assert not any(box.contains(*axes.transData.transform((point.overhead, point.share))) for box in boxes)
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_convergence_is_drawn_by_epochs_for_the_ways_that_had_a_longer_run(results: CollectedResults) -> None:
    assert with_longer_runs(results.tasks) == []
    task = copy.deepcopy(results.tasks[0])
    task.result.epochs = 3
    longer = next(trial for trial in task.result.trials if trial.role == "full")
    task.result.trials.append(longer.model_copy(update={"total_epochs": 6, "score": 71.2}))
    assert with_longer_runs([task]) == [task]
    (axes,) = draw_convergence([task]).axes
    assert drawn(axes) == {"full fine-tuning": [(3, 71.0), (6, 71.2)]}


def test_students_of_other_taps_are_drawn_with_those_of_the_teachers_own(results: CollectedResults) -> None:
    assert with_other_taps(results.tasks) == []
    task = copy.deepcopy(results.tasks[0])
    other = next(trial for trial in task.result.trials if trial.role == "student" and trial.layers == 1)
    task.result.trials.append(other.model_copy(update={"tap": 4, "score": 66.0}))
    (axes,) = draw_student_taps(with_other_taps([task])).axes
    assert drawn(axes)["l = 1"] == [(2, 64.0), (4, 66.0)]
    assert {x for x, _ in drawn(axes)["the teacher's own tap"]} == {2}


def test_learning_curves_show_each_epoch_of_teacher_and_students(results: CollectedResults) -> None:
    rte = results.tasks[0]
    (axes,) = draw_learning_curves(rte.teacher, rte.result.best("student"), "accuracy").axes
    assert drawn(axes) == {
        "teacher, L = 4": [(1, 66.0), (2, 69.0), (3, 70.0)],
        "student, l = 1": [(1, 60.0), (2, 63.0), (3, 64.0)],
        "student, l = 2": [(1, 61.5), (2, 64.5), (3, 65.5)],
    }


def test_confusion_matrix_shades_by_the_share_of_the_true_class() -> None:
    counts = np.array([[3, 1], [0, 0]])
    (axes,) = draw_confusion_matrix(counts, ["no", "the price in $, far too much of it"]).axes
    (image,) = axes.get_images()
    np.testing.assert_allclose(np.asarray(image.get_array()), np.array([[0.75, 0.25], [0, 0]]))
    assert [text.get_text() for text in axes.texts] == ["3", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no", "the price in… much of it"]


def test_labels_with_dollars_are_no_formulas() -> None:
    png_of(draw_confusion_matrix(np.eye(2, dtype=int), [r"$\nonsense$", "$a"]))


def test_regression_scatter_has_the_true_value_across() -> None:
    (axes,) = draw_regression_scatter([0.0, 5.0], [1.0, 3.0]).axes
    (dots,) = axes.collections
    np.testing.assert_array_equal(dots.get_offsets(), [[0.0, 1.0], [5.0, 3.0]])


def test_the_same_figure_gives_the_same_bytes() -> None:
    one, other = (png_of(draw_regression_scatter([0.0, 5.0], [1.0, 3.0])) for _ in range(2))
    assert one.startswith(b"\x89PNG")
    assert one == other
