"""The measurements of docs/results.md: `python tests/performance/paper_tables.py DATA OUTPUT`.

    --plan     prints each piece, whether it is done, and how long it should take by arithmetic; with --try-speed after
               a moment of training on this machine, else for two cores of Zen 3 in float32
    --hours    starts no further piece after so many hours
    --at-once  runs so many pieces at a time, by default one per core; each has a log in OUTPUT/logs
    --tables   prints the tables of what has been measured
    --record   writes the results of the finished pieces to a folder, such as docs/measured

It can be killed at any time and started again: each piece resumes where it was. Let nothing else run beside it. On
another machine it goes on from a record: `cp -r docs/measured OUTPUT`.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from paper_costs import print_costs
from paper_protocol import ASSISTANT, DEEP, GLUE, Machine, Piece, Protocol, hours
from paper_record import record
from paper_run import run_pieces, threads_each
from paper_scores import THRESHOLDS, print_scores
from paper_seeds import print_seeds
from paper_speed import seconds_per_unit

from build_tools.cores import usable_cores
from espalier_errors import EspalierError
from training.report.collected_results import collect_results
from training.report.convergence_table import rising_sentences


def measure(
    data: Annotated[Path, typer.Argument(help="One folder per task, with train.jsonl and dev.jsonl.")],
    output: Annotated[Path, typer.Argument(help="The folder of all searches.")],
    mpnet: Annotated[str | None, typer.Option(help="The folder of all-mpnet-base-v2; without it no 12 layers.")] = None,
    shallow_rows: Annotated[int, typer.Option(min=1, help="Training rows of a task at most, on 6 layers.")] = 1000,
    deep_rows: Annotated[int, typer.Option(min=1, help="Training rows of a task at most, on 12 layers.")] = 500,
    glue_rows: Annotated[int, typer.Option(min=1, help="Training rows of a GLUE task at most.")] = 500,
    dev_rows: Annotated[int, typer.Option(min=2, help="Dev rows at most; half of them are scored every epoch.")] = 1000,
    epochs: Annotated[int, typer.Option(min=2, help="Of each way's first run; longer ones follow.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per step.")] = 16,
    try_speed: Annotated[bool, typer.Option("--try-speed", help="Measure the machine's speed for the plan.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Pieces whose names have all these words.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Train nothing: print the pieces and their hours.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Train nothing: print what was measured.")] = False,
    recorded: Annotated[
        Path | None, typer.Option("--record", metavar="FOLDER", help="Train nothing: keep what was measured there.")
    ] = None,
    most_hours: Annotated[float, typer.Option("--hours", help="Start no further piece after so many.")] = 30.0,
    at_once: Annotated[int, typer.Option(min=1, help="Pieces that share the cores at a time.")] = usable_cores(),
) -> None:
    """Measure what docs/results.md tells, in pieces, the longest first."""
    machine = Machine()
    if try_speed:
        deep = Machine.mpnet if mpnet is None else seconds_per_unit(mpnet, threads_each(at_once)) / at_once
        machine = Machine(deep, seconds_per_unit("minilm", threads_each(at_once)) / at_once)
        print(f"seconds per layer and token: MiniLM {machine.minilm:.1e}, MPNet {machine.mpnet:.1e}")
    protocol = Protocol(data, output, mpnet, machine, shallow_rows, deep_rows, glue_rows, dev_rows, epochs, batch_size)

    def pieces() -> list[Piece]:
        return [piece for piece in protocol.pieces() if all(word in piece.name for word in only or [])]

    if plan:
        print_plan(pieces())
    elif tables:
        print_tables(output)
    elif recorded:
        print(f"recorded in {recorded}: {', '.join(record(pieces(), output, recorded)) or 'nothing, no piece is done'}")
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
        if found.glue and len(found.glue) < len(found.names):
            print_scores(found, found.glue)
        print_scores(found, found.names)
        for sentence in [*found.unfinished, *found.left_out, *rising_sentences(found.tasks)]:
            print(f"- {sentence}")
        print()
        results = {task.name: task.result for task in found.tasks}
        print_costs(results, output / f"{name.split('-')[0]}-exhaustive")
    print_seeds(output, (*GLUE, *ASSISTANT), THRESHOLDS)


if __name__ == "__main__":
    # Ended by its process id, it still ends the search that it has begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    typer.run(measure)
