"""What a server does at 0.9 and 2 times saturation: `python tests/performance/overload.py SHAPE`.

Builds branches of that shape with random weights, which read texts as long as they are sent. Prints, for each load, how
many texts a second were answered in time (goodput), how many were refused and how soon, and the server's memory. The
goal: at twice saturation goodput within 10 % of the maximum, refusals at once, no failures, and memory that does not
grow after the first minute. Use a machine on which nothing else runs.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from errors import BenchError
from open_load import Seen, closed_loop, open_loop, percentile
from rich.console import Console
from rich.table import Table
from shapes import SHAPES
from suite import build_shape
from texts import lengths_of, make_texts, plain_tokenizer

from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from build_tools.serving.supervisor import Settings, Supervisor

_SATURATING_CALLERS = 64
_TOO_MANY_CALLERS = 420  # as many as once were served 2.6 texts a second in place of 9.8


def main(
    shape: Annotated[str, typer.Argument(help=f"One of {', '.join(SHAPES)}.")],
    tokens: Annotated[int, typer.Option(min=4, max=512, help="Of each text.")] = 512,
    seconds: Annotated[float, typer.Option(help="Seconds of each load.")] = 120.0,
    warm_up: Annotated[float, typer.Option(help="Seconds before each is measured.")] = 30.0,
    timeout: Annotated[float, typer.Option(help="Seconds that callers wait.")] = 30.0,
    output: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
) -> None:
    """Measures one server at several loads."""
    if shape not in SHAPES:
        raise typer.BadParameter(f"the shape {shape!r} is not known: give one of {', '.join(SHAPES)}.")
    rows = []
    with TemporaryDirectory() as folder:
        repository = Path(folder, "repository")
        build_shape(SHAPES[shape], Path(folder), Runtime.OPENVINO, Precision.FP32, tokens)
        texts = make_texts(lengths_of(str(tokens)), plain_tokenizer(repository))
        with Supervisor(Settings(repository), typer.echo) as server:
            most = closed_loop(server.grpc_url, texts, _SATURATING_CALLERS, seconds, warm_up, timeout)
            if not most.answered:
                raise BenchError(f"no text was answered: {dict(most.failures)}")
            rows.append(_row(f"{_SATURATING_CALLERS} callers", None, most, most))
            for share in (0.9, 2.0):
                rate = share * most.goodput
                seen = open_loop(server.grpc_url, texts, rate, seconds, warm_up, timeout)
                rows.append(_row(f"{share:g} x saturation", rate, seen, most))
            seen = closed_loop(server.grpc_url, texts, _TOO_MANY_CALLERS, seconds, warm_up, timeout)
            rows.append(_row(f"{_TOO_MANY_CALLERS} callers", None, seen, most))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=200).print(table)
    if output is not None:
        output.write_text(json.dumps(rows, indent=2))


def _row(load: str, rate: float | None, seen: Seen, most: Seen) -> dict[str, object]:
    return {
        "load": load,
        "offered/s": rate or "",
        "answered/s": seen.goodput,
        "of the most": seen.goodput / most.goodput,
        "P50 s": percentile(seen.answered, 0.5),
        "P99 s": percentile(seen.answered, 0.99),
        "refused": len(seen.refused),
        "refusal P99 ms": 1000 * percentile(seen.refused, 0.99),
        "too late": seen.too_late,
        "failures": dict(seen.failures) or 0,
        "memory MB": memory() / 1e6,
    }


def memory() -> int:
    """PSS of this process's children, in bytes: all that serves."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return total


if __name__ == "__main__":
    typer.run(main)
