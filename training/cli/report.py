"""The verb report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.report.analysis.predicted import Predicted

app = typer.Typer()


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Folders that `espalier search` wrote, or a folder of them.")],
    output: Annotated[Path, typer.Option("--output", help="The report's folder: new, or that of an earlier report.")],
    threshold: Annotated[
        list[float] | None,
        typer.Option("--threshold", "-c", help="c: points that each added layer must gain; repeatable."),
    ] = None,
    no_errors: Annotated[
        bool, typer.Option("--no-errors", help="Load no model: faster, but without confusion matrices and span errors.")
    ] = False,
) -> None:
    """Write a page of tables and plots: the searches, the branches to serve, their cost and their errors."""
    from training.report.collected_results import collect_results
    from training.report.page import make_page
    from training.report.write import FILE, check_place, write_report
    from training.selection.mixed import mixed

    check_place(output)
    found = collect_results(results)
    for sentence in found.left_out:
        typer.echo(f"left out: {sentence}", err=True)
    suites = [mixed(found.options, c) for c in dict.fromkeys(threshold or [1.0])]
    if no_errors:
        predicted: dict[str, Predicted | str] = dict.fromkeys(
            found.names, "Its errors were not asked for (--no-errors)."
        )
    else:
        from training.report.predictions import predict_all

        predicted = predict_all(found, suites[0], lambda line: typer.echo(line, err=True))
    write_report(output, make_page(found, suites, predicted))
    typer.echo(output / FILE)
