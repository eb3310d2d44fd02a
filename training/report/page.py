"""report.html: the whole report in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.report.analysis.predicted import Predicted
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
from training.report.comparison_table import make_comparison_table
from training.report.convergence_table import convergence_table, rising_sentences
from training.report.cost_table import make_cost_table
from training.report.figures.convergence import draw_convergence, with_longer_runs
from training.report.figures.search_cost import draw_search_cost
from training.report.figures.student_layers import draw_student_layers, with_both_starts
from training.report.figures.student_taps import draw_student_taps, with_other_taps
from training.report.figures.teacher_layers import draw_teacher_layers
from training.report.figures.trade_off import Point, draw_trade_off
from training.report.headline import make_headline
from training.report.image import Image, image_of
from training.report.published import SOURCE, published_table
from training.report.task_section import make_task_section
from training.report.threshold_sweep import sweep_thresholds
from training.selection.any_tap import mixed_of_any_tap
from training.selection.suite import Suite

# In the page's head; identifies the page of an earlier report.
GENERATOR = "espalier report"


@dataclass(frozen=True)
class Page:
    """images: the plots in the page, to be saved as files too."""

    html: str
    images: list[Image]


def make_page(results: CollectedResults, suites: Sequence[Suite], predicted: Mapping[str, Predicted | str]) -> Page:
    """Builds the page.

    suites: the mixed selections, at least one; the page shows the errors of the first one's branches.
    predicted: for each task the answers of its branch on dev, or a sentence that says why they are missing.
    """
    full = full_fine_tuning_column(results)
    fixed = [*distilled_columns(results), without_distillation_column(results)]
    chosen = [suite_column(suite) for suite in suites]
    any_tap = [suite_column(mixed_of_any_tap(results.options, suite.threshold or 0.0)) for suite in suites]
    other_taps = with_other_taps(results.tasks)
    chosen_of_any = any_tap if other_taps else []
    compared = [full, *lora_columns(results), *joint_columns(results), *vanilla_columns(results), *fixed]
    compared += [*chosen, *chosen_of_any]
    longer = with_longer_runs(results.tasks)
    both_starts = with_both_starts(results.tasks)
    with_cost_unit = [task for task in results.tasks if task.result.cost.full_fine_tuning]

    teacher_layers = image_of(
        draw_teacher_layers(results.tasks), "teacher_layers.png", "score by L, one panel per task"
    )
    student_layers = (
        image_of(
            draw_student_layers(both_starts),
            "student_layers.png",
            "score by l for both starts, one panel per task",
        )
        if both_starts
        else None
    )
    student_taps = (
        image_of(draw_student_taps(other_taps), "student_taps.png", "score of students by tap, one panel per task")
        if other_taps
        else None
    )
    longer_runs = (
        image_of(draw_convergence(longer), "convergence.png", "best score by the epochs trained, one panel per task")
        if longer
        else None
    )
    trade_off = _trade_off(results, suites, fixed, full)
    search_cost = (
        image_of(draw_search_cost(with_cost_unit), "search_cost.png", "cost of each search in full fine-tunings")
        if with_cost_unit
        else None
    )
    sections = [make_task_section(task, suites[0].tasks[task.name], predicted[task.name]) for task in results.tasks]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html").render(
        generator=GENERATOR,
        encoder=results.encoder,
        encoder_layers=results.encoder_layers,
        tasks=results.names,
        left_out=results.left_out,
        threshold=f"{suites[0].threshold:g}",
        summary=make_headline(results, chosen[0], full),
        table=make_comparison_table(results, compared, full),
        highlighted=chosen[0].name,
        teacher_layers=teacher_layers,
        student_layers=student_layers,
        student_taps=student_taps,
        longer_runs=longer_runs,
        convergence=convergence_table(results.tasks),
        rising=rising_sentences(results.tasks),
        unfinished=results.unfinished,
        rows_told=_rows_told(results),
        clock="processor" if all(task.result.cost.processor for task in results.tasks) else "wall",
        published=published_table(),
        published_source=SOURCE,
        trade_off=trade_off,
        compared=len(full.scores),
        search_cost=search_cost,
        cost_table=make_cost_table(results),
        sections=sections,
    )
    shown = [teacher_layers, student_layers, student_taps, trade_off, longer_runs, search_cost]
    shown += [image for section in sections for image in (section.curves, section.errors.image)]
    return Page(html, [image for image in shown if image is not None])


def _rows_told(results: CollectedResults) -> str:
    """Says on which rows the scores of the table are."""
    held = [task.result.held_rows > 0 for task in results.tasks]
    if all(held):
        return "the half of the dev rows that chose nothing"
    if any(held):
        return "dev rows; of some tasks on the half that chose nothing, of the others on those that also chose"
    return "the dev rows, which also chose the epoch, the layers and the branch, so they are a little too high"


def _trade_off(results: CollectedResults, suites: Sequence[Suite], fixed: Sequence[Column], full: Column) -> Image:
    sweep = sweep_thresholds(results.options, [suite.threshold for suite in suites if suite.threshold is not None])
    figure = draw_trade_off(
        sweep=_points(results, [suite_column(suite) for suite in sweep], full),
        marked=_name_thresholds(suites, _points(results, [suite_column(suite) for suite in suites], full)),
        fixed=_points(results, fixed, full),
        full_average=full.average(results.names),
    )
    return image_of(figure, "trade_off.png", "average score by overhead for all thresholds c")


def _points(results: CollectedResults, some: Sequence[Column], full: Column) -> list[Point]:
    """Returns the points of the columns that have all tasks."""
    points = []
    for column in some:
        average, overhead = column.average(results.names), column.overhead(results.names, results.encoder_layers)
        if average is not None and overhead is not None:
            points.append(Point(column.name, overhead, average, column.share_of(full, results.names)))
    return points


def _name_thresholds(suites: Sequence[Suite], points: Sequence[Point]) -> list[Point]:
    """Names each point after its threshold, and points that coincide after all of theirs: 'c = 2, 3'."""
    names: dict[Point, list[str]] = {}
    for suite, point in zip(suites, points, strict=True):
        names.setdefault(replace(point, name=""), []).append(f"{suite.threshold:g}")
    return [replace(point, name=f"c = {', '.join(thresholds)}") for point, thresholds in names.items()]
