"""The verb `espalier load-test`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clients.cli_tasks import read_tasks
from clients.load_test.errors import LoadTestUnavailable
from clients.load_test.load import Distribution
from clients.load_test.options import read_loads, read_protocols


def load_test(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Texts, one a line; .jsonl: text and text_pair.")],
    tasks: Annotated[str | None, typer.Option(help="Tasks to ask, joined by commas; all if left out.")] = None,
    protocol: Annotated[str, typer.Option(help="One or more of grpc, http, stream, joined by commas.")] = "grpc",
    concurrency: Annotated[
        str | None, typer.Option(help="Callers at once, for instance 1,8,32 (the default without --rate).")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(help="Texts a second, for instance 50,100, sent whether earlier ones are answered or not."),
    ] = None,
    distribution: Annotated[
        Distribution, typer.Option(help="Distances between the texts of a --rate.")
    ] = Distribution.POISSON,
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.")] = 10.0,
    warm_up: Annotated[float, typer.Option(help="Seconds of load before each measurement.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Seed of the order in which texts are sent.")] = 0,
    output: Annotated[Path, typer.Option(help="Folder for load_test.csv and load_test.png.", metavar="DIR")] = Path(
        "load_test"
    ),
    url: Annotated[
        str, typer.Option(help="The server's address for grpc and stream; several share the load: a:8001,b:8001.")
    ] = "localhost:8001",
    http_url: Annotated[str, typer.Option(help="The server's address for http, or several.")] = "http://localhost:8000",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Load a running server with texts of a file: throughput, latencies and errors for each load."""
    # Here, so that the other verbs load neither numpy nor matplotlib.
    from clients.load_test.csv_file import write_csv
    from clients.load_test.inputs import prepare_inputs
    from clients.load_test.measure import measure
    from clients.load_test.perf_analyzer import find_perf_analyzer
    from clients.load_test.probe import probe
    from clients.load_test.protocol import MODELS, addresses_for
    from clients.load_test.table import print_table
    from clients.load_test.texts import read_rows, shuffled

    try:
        from clients.load_test.plot import write_plot
    except ModuleNotFoundError as error:
        raise LoadTestUnavailable(f"the package {error.name}") from None

    find_perf_analyzer()
    names = read_tasks(tasks)
    loads = read_loads(concurrency, rate, distribution)
    urls = {name: http_url if name == "http" else url for name in read_protocols(protocol)}
    for name, address in urls.items():
        addresses_for(name, address)  # a wrong address is named before anything is sent
    rows = shuffled(read_rows(file), seed)
    for name, address in urls.items():
        probe(address, name, rows[0], names)
    output.mkdir(parents=True, exist_ok=True)
    measurements = []
    terminal = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="espalier-load-test-") as folder, _progress(terminal) as bar:
        inputs = Path(folder) / "inputs.json"
        prepare_inputs([text for text, _ in rows], [pair for _, pair in rows], names, inputs)
        shown = bar.add_task("", total=len(urls) * len(loads))
        for name, address in urls.items():
            for load in loads:
                bar.update(shown, description=f"{name}, {load}")
                measurements.append(measure(address, MODELS[name], inputs, load, name, seconds, warm_up))
                write_csv(measurements, output / "load_test.csv")  # each time: an interrupted sweep keeps its points
                bar.advance(shown)
                if not terminal.is_terminal:
                    terminal.print(f"{name}, {load}: {measurements[-1].texts_per_second:.1f} texts/s", soft_wrap=True)
    write_plot(measurements, output / "load_test.png")
    if as_json:
        typer.echo(json.dumps([measurement.row() for measurement in measurements], ensure_ascii=False, indent=2))
    else:
        # rich takes 80 columns for a pipe and would cut the table.
        print_table(measurements, Console(width=None if sys.stdout.isatty() else 120))
        typer.echo(f"{len(measurements)} loads -> {output}")
    if not all(measurement.requests for measurement in measurements):
        raise typer.Exit(1)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
