"""The measurements of docs/results.md: `python tests/performance/paper_tables.py DATA OUTPUT`.

    --plan     prints each piece, whether it is done, and how long it should take by arithmetic; with --try-speed after
               a moment of training on this machine, else for two cores of Zen 3 in float32
    --hours    starts no further piece after so many hours
    --at-once  runs so many pieces at a time, by default one per core; each has a log in OUTPUT/logs
    --tables   prints the tables of what has been measured

It can be killed at any time and started again: each piece resumes where it was. Let nothing else run beside it.
"""

import os
import signal
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from paper_protocol import ASSISTANT, DEEP, GLUE, Machine, Piece, Protocol, hours
from paper_run import run_pieces, threads_each
from paper_speed import seconds_per_unit

from espalier_errors import EspalierError
from training.report.collected_results import CollectedResults, collect_results
from training.report.comparison_columns import (
    distilled_columns,
    full_fine_tuning_column,
    joint_columns,
    lora_columns,
    suite_column,
    vanilla_columns,
    without_distillation_column,
)
from training.report.convergence_table import rising_sentences
from training.report.numbers import MISSING, percent, plus_minus, points
from training.search.result import SearchResult, read_result
from training.selection.any_tap import mixed_of_any_tap
from training.selection.mixed import mixed
from training.selection.options_from_search import read_searched

THRESHOLDS = (1.0, 2.0, 3.0, 4.0)
CORES = len(os.sched_getaffinity(0))


def measure(
    data: Annotated[Path, typer.Argument(help="One folder per task, with train.jsonl and dev.jsonl.")],
    output: Annotated[Path, typer.Argument(help="The folder of all searches.")],
    mpnet: Annotated[str | None, typer.Option(help="The folder of all-mpnet-base-v2; without it no 12 layers.")] = None,
    shallow_rows: Annotated[int, typer.Option(min=1, help="Training rows of a task at most, on 6 layers.")] = 1000,
    deep_rows: Annotated[int, typer.Option(min=1, help="Training rows of a task at most, on 12 layers.")] = 500,
    epochs: Annotated[int, typer.Option(min=2, help="Of each way's first run; longer ones follow.")] = 6,
    try_speed: Annotated[bool, typer.Option("--try-speed", help="Measure the machine's speed for the plan.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Pieces whose names have all these words.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Train nothing: print the pieces and their hours.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Train nothing: print what was measured.")] = False,
    most_hours: Annotated[float, typer.Option("--hours", help="Start no further piece after so many.")] = 30.0,
    at_once: Annotated[int, typer.Option(min=1, help="Pieces that run at a time and share the cores.")] = CORES,
) -> None:
    """Measure what docs/results.md tells, in pieces, the longest first."""
    machine = Machine()
    if try_speed:
        deep = Machine.mpnet if mpnet is None else seconds_per_unit(mpnet, threads_each(at_once)) / at_once
        machine = Machine(deep, seconds_per_unit("minilm", threads_each(at_once)) / at_once)
        print(f"seconds per layer and token: MiniLM {machine.minilm:.1e}, MPNet {machine.mpnet:.1e}")
    protocol = Protocol(data, output, mpnet, machine, shallow_rows, deep_rows, epochs=epochs)

    def pieces() -> list[Piece]:
        return [piece for piece in protocol.pieces() if all(word in piece.name for word in only or [])]

    if plan:
        print_plan(pieces())
    elif tables:
        print_tables(output)
    else:
        run_pieces(pieces, most_hours, at_once, output / "logs")


def print_plan(pieces: Sequence[Piece]) -> None:
    """Prints what is left to do, and how long it should take on all cores."""
    left = [piece for piece in pieces if not piece.is_done]
    for piece in pieces:
        print(f"{hours(piece.seconds):>8}  {'done' if piece.is_done else '':4}  {piece.name}")
    print(
        f"{hours(sum(piece.seconds for piece in left)):>8}  for the {len(left)} of {len(pieces)} pieces that are left"
    )


def print_tables(output: Path) -> None:
    """Prints the tables of docs/results.md in Markdown, from the searches that are there."""
    for name, tasks in (("minilm-seed0", (*GLUE, *ASSISTANT)), ("mpnet", DEEP)):
        try:
            found = collect_results([output / name])
        except EspalierError as error:
            print(f"## {name}: not measured ({error})\n")
            continue
        print(f"## {name}: {len(found.names)} of {len(tasks)} tasks\n")
        for names in [found.glue, found.names] if found.glue else [found.names]:
            print_scores(found, names)
        for sentence in [*found.unfinished, *found.left_out, *rising_sentences(found.tasks)]:
            print(f"- {sentence}")
        print()
        results = {task.name: task.result for task in found.tasks}
        print_costs(results, output / f"{name.split('-')[0]}-exhaustive")
    print_seeds(output)


def print_scores(found: CollectedResults, names: Sequence[str]) -> None:
    """Prints a row per way with the scores of the tasks `names`, on the rows that chose nothing."""
    full = full_fine_tuning_column(found)
    ways = [full, *lora_columns(found), *joint_columns(found), *vanilla_columns(found), *distilled_columns(found)]
    ways += [without_distillation_column(found), *(suite_column(mixed(found.options, c)) for c in THRESHOLDS)]
    if any(task.options.other_taps for task in found.tasks):
        ways += [suite_column(mixed_of_any_tap(found.options, c)) for c in THRESHOLDS]
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


def print_costs(results: dict[str, SearchResult], exhaustive: Path) -> None:
    """Prints each search's cost in full fine-tunings, and the exhaustive search's beside it where there is one."""
    print("| task | first runs | with longer runs and other taps | chosen L | exhaustive: cost | best L | loses |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for task, result in results.items():
        cost = result.cost.fairest
        unit = _first_full(result)
        first = cost.search - cost.other_taps - cost.longer_runs
        assert result.teacher is not None
        chosen = _best_first(result)
        row = [task, _ratio(first, unit), _ratio(cost.search, unit), str(chosen[0])]
        other = exhaustive / task
        if (other / "result.json").is_file() and (found := read_result(other)).finished("teacher"):
            best = _best_first(found)
            lost = best[1] - _first_teachers(found).get(chosen[0], 0.0)
            row += [_ratio(found.cost.fairest.search, unit), str(best[0]), f"{lost:.1f}"]
        else:
            row += ["not measured", "", ""]
        print("| " + " | ".join(row) + " |")
    print()


def print_seeds(output: Path) -> None:
    """Prints the tasks of which there are several seeds: the mean and the spread of the figures."""
    print("| task | way | seeds | mean | standard deviation |\n| --- | --- | ---: | ---: | ---: |")
    for task in (*GLUE, *ASSISTANT):
        found = [path.parent for path in sorted(output.glob(f"minilm-seed*/{task}/result.json"))]
        finished = [folder for folder in found if read_result(folder).to_do == 0]
        if len(finished) < 2:
            continue
        options = [read_searched([folder]) for folder in finished]
        for name, scores in (
            ("full fine-tuning", [full.told for of in options if (full := of.tasks[task].full) is not None]),
            *((f"c = {c:g}", [mixed(of, c).tasks[task].told for of in options]) for c in THRESHOLDS),
        ):
            if len(scores) > 1:
                print(f"| {task} | {name} | {len(scores)} | {statistics.fmean(scores):.1f} | ", end="")
                print(f"{statistics.stdev(scores):.1f} |")


def _first_full(result: SearchResult) -> float | None:
    """Returns the seconds of one full fine-tuning with the search's first number of epochs."""
    seconds = [
        trial.processor_seconds or trial.seconds for trial in result.finished("full") if trial.total_epochs is None
    ]
    return statistics.fmean(seconds) if seconds else None


def _first_teachers(result: SearchResult) -> dict[int, float]:
    """Returns L -> the best score of the teachers with the search's first number of epochs."""
    best: dict[int, float] = {}
    for trial in result.finished("teacher"):
        if trial.total_epochs is None:
            best[trial.layers] = max(best.get(trial.layers, 0.0), trial.score or 0.0)
    return best


def _best_first(result: SearchResult) -> tuple[int, float]:
    scores = _first_teachers(result)
    layers = max(scores, key=lambda number: (scores[number], -number))
    return layers, scores[layers]


def _ratio(seconds: float, unit: float | None) -> str:
    return f"{seconds / unit:.2f}" if unit else "not measured"


if __name__ == "__main__":
    # Ended by its process id, it still ends the search that it has begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    typer.run(measure)
