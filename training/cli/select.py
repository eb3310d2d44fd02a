"""The verb select."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.selection.options import Options
    from training.selection.suite import Suite

app = typer.Typer()


@app.command()
def select(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Folders that `espalier search` wrote, or a folder of them.")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="Read a JSON file of scores instead.")] = None,
    threshold: Annotated[
        list[float] | None,
        typer.Option("--threshold", "-c", help="c: points that each added layer must gain; repeatable."),
    ] = None,
    teacher_layers: Annotated[
        str | None, typer.Option(metavar="A-B", help="Layers that a teacher may have; by default 4-10 of 12.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Also show the fixed choices: KD-l, w/o KD, full.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    any_tap: Annotated[
        bool, typer.Option("--any-tap", help="Choose among the students of all taps (`search --student-taps`).")
    ] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Score the choice on this file of a task's rows; repeatable."),
    ] = None,
    suite: Annotated[Path | None, typer.Option(help="Write the choice to this file, for `espalier build`.")] = None,
) -> None:
    """Choose each task's branch by the points that added layers gain, one row per threshold."""
    from rich.console import Console

    from training.selection.any_tap import mixed_of_any_tap
    from training.selection.mixed import mixed
    from training.selection.on_rows import files_by_task
    from training.selection.suite_file import check_new_suite, write_suite
    from training.selection.suite_table import print_suites

    thresholds = threshold or [1.0]
    if suite is not None:
        if scores is not None:
            raise TrainingError("--suite names checkpoints, and --scores has none: give searched folders instead.")
        if len(thresholds) > 1:
            raise TrainingError("--suite holds one choice: give one --threshold.")
        check_new_suite(suite)

    options = _options(results or [], scores, teacher_layers)
    files = files_by_task(data, list(options.tasks)) if data else {}
    chosen = [mixed_of_any_tap(options, c) if any_tap else mixed(options, c) for c in thresholds]
    rows = _with_fixed(options, chosen) if show_all else chosen
    if suite is not None:
        write_suite(suite, chosen[0])
    if files:
        rows = _on_rows(rows, options, files)
    if as_json:
        content = {"encoder_layers": options.encoder_layers, "rows": [row.as_json() for row in rows]}
        typer.echo(json.dumps(content, ensure_ascii=False))
    else:
        print_suites(rows, Console())
    if suite is not None:
        typer.echo(
            f"{len(options.tasks)} {'branch' if len(options.tasks) == 1 else 'branches'} -> {suite}", err=as_json
        )


def _options(results: list[Path], scores: Path | None, teacher_layers: str | None) -> "Options":
    from training.search.layer_range import parse_range
    from training.selection.options_from_scores import read_scores
    from training.selection.options_from_search import find_searched, read_searched, unfinished

    if bool(results) == (scores is not None):
        raise TrainingError("name either searched folders or --scores FILE, and not both.")
    allowed = None if teacher_layers is None else parse_range(teacher_layers)
    if scores is not None:
        return read_scores(scores).options(allowed)
    folders, passed_over = find_searched(results)
    for folder in passed_over:
        typer.echo(f"{folder} is left out: it holds no search result.", err=True)
    options = read_searched(folders, allowed)
    for sentence in unfinished(folders):
        typer.echo(sentence, err=True)
    return options


def _on_rows(rows: list["Suite"], options: "Options", files: dict[str, Path]) -> list["Suite"]:
    """The rows with their figures on the files, and full fine-tuning to compare with, if its weights were kept."""
    from training.selection.mixed import full_fine_tuning
    from training.selection.on_rows import score_suites

    full = [row for row in rows if any(option.role == "full" for option in row.tasks.values())]
    branches = [row for row in rows if row not in full]
    if all(of.full is not None and of.full.checkpoint is not None for of in options.tasks.values()):
        full = [full_fine_tuning(options)]
    elif full:
        typer.echo("no row full fine-tuning: the weights of a task's were not kept: search it again.", err=True)
        full = []
    return score_suites([*full, *branches], files, lambda line: typer.echo(f"scoring {line}", err=True))


def _with_fixed(options: "Options", chosen: list["Suite"]) -> list["Suite"]:
    """All rows in the order of the paper's Appendix D. Rows that a task lacks are left out, with a line on stderr."""
    from training.selection.mixed import distilled, full_fine_tuning, without_distillation

    student_layers = sorted({layers for task in options.tasks.values() for layers in task.students})
    makers: dict[str, Callable[[], Suite]] = {"full fine-tuning": partial(full_fine_tuning, options)}
    makers |= {f"KD-{layers}": partial(distilled, options, layers) for layers in student_layers}
    rows = []
    for name, make in makers.items():
        try:
            rows.append(make())
        except TrainingError as error:
            typer.echo(f"no row {name}: {error}", err=True)
    return [*rows, *chosen, without_distillation(options)]
