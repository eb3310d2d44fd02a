import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.collected_results import CollectedResults
from training.report.figures.confusion_matrix import draw_confusion_matrix
from training.report.figures.learning_curves import draw_learning_curves
from training.report.figures.regression_scatter import draw_regression_scatter
from training.report.figures.search_cost import draw_search_cost
from training.report.figures.student_layers import draw_student_layers, with_both_starts
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


def test_trade_off_marks_thresholds_and_has_a_second_panel_only_with_shares() -> None:
    sweep = [Point("", 0.5, 80.0, 0.99), Point("", 0.3, 79.0, 0.98)]
    marked, fixed = [Point("c = 1", 0.3, 79.0, 0.98)], [Point("KD-1", 0.2, 70.0, 0.9), Point("w/o KD", 0.6, 80.0, 1.0)]
    left, right = draw_trade_off(sweep, marked, fixed, 80.5).axes
    assert drawn(left)["mixed, over all thresholds c"] == [(0.3, 79.0), (0.5, 80.0)]
    assert drawn(left)["KD-l"] == [(0.2, 70.0)]
    assert drawn(left)["w/o KD"] == [(0.6, 80.0)]
    assert {y for _, y in drawn(left)["full fine-tuning"]} == {80.5}
    assert drawn(right)["mixed, over all thresholds c"] == [(0.3, 0.98), (0.5, 0.99)]
    assert {text.get_text() for text in right.texts} == {"c = 1", "KD-1", "w/o KD"}

    (alone,) = draw_trade_off([Point("", 0.5, 80.0, None)], [], [], None).axes
    assert "full fine-tuning" not in drawn(alone)


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
