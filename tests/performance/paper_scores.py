"""The scores of all ways to serve the paper's tasks, as a table in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import replace

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
from training.report.numbers import MISSING, percent, plus_minus, points
from training.selection.any_tap import mixed_of_any_tap
from training.selection.mixed import mixed
from training.selection.options import Options
from training.selection.suite import Suite

THRESHOLDS = (1.0, 2.0, 3.0, 4.0)
MOST_OVERHEAD = 0.343  # the paper's
_SWEPT = (*(step / 10 for step in range(51)), *(5.0 * step for step in range(2, 11)))

Choose = Callable[[Options, float], Suite]


def print_scores(found: CollectedResults, names: Sequence[str]) -> None:
    """Prints a row per way with the scores of the tasks `names`, on the rows that chose nothing."""
    full, options = full_fine_tuning_column(found), _only(found.options, names)
    ways = [full, *lora_columns(found), *joint_columns(found), *vanilla_columns(found), *distilled_columns(found)]
    ways += [without_distillation_column(found), *_chosen(options, mixed)]
    if any(task.options.other_taps for task in found.tasks):
        ways += _chosen(options, mixed_of_any_tap)
    print("| way |", " | ".join(names), "| average | of full | layers | overhead |")
    print("| --- |" + " ---: |" * (len(names) + 4))
    for way in ways:
        cells = [f"{points(way.scores.get(task))} {way.marks.get(task, '')}".strip() for task in names]
        average = f"{points(way.average(names))} {plus_minus(way.average_error(names))}".strip()
        error = None if way is full or way.average(names) is None else way.share_error(full, names)
        share = percent(way.share_of(full, names)) if way.average(names) is not None else MISSING
        share = f"{share} {plus_minus(None if error is None else 100 * error)}".strip()
        layers, overhead = way.layers(names), percent(way.overhead(names, found.encoder_layers))
        print(f"| {way.name} |", " | ".join(cells), f"| {average} | {share} | {layers or MISSING} | {overhead} |")
    errors = [plus_minus(full.error(task)) for task in names]
    print("| one standard error |", " | ".join(errors), "| | | | |\n")


def _only(options: Options, names: Sequence[str]) -> Options:
    return Options(options.encoder_layers, {name: options.tasks[name] for name in names})


def _chosen(options: Options, choose: Choose) -> list[Column]:
    """The choices at THRESHOLDS, and the best one that the goal allows."""
    columns = [suite_column(choose(options, c)) for c in THRESHOLDS]
    best = best_within(options, choose)
    if best is not None:
        column = suite_column(best)
        columns.append(replace(column, name=f"the best within {percent(MOST_OVERHEAD)}: {column.name}"))
    return columns


def best_within(options: Options, choose: Choose, most: float = MOST_OVERHEAD) -> Suite | None:
    """Returns the choice with the best average on the rows that choose, of those with at most this overhead.

    None if no threshold leads to one. So c, too, is chosen on rows that give no figure.
    """
    fitting = [suite for suite in (choose(options, c) for c in _SWEPT) if suite.overhead <= most]
    return max(fitting, key=lambda suite: (suite.average_score, -suite.total_layers), default=None)
