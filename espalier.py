"""Espalier: one frozen BERT trunk, many independently updated task branches, served on NVIDIA Triton.

`from espalier import Client` is the way in for programs; `main` is the command-line program `espalier`, which puts the
verbs of the three packages together.
"""

import sys

import typer

import build_tools.cli
import clients.cli
import training.cli
from build_tools.errors import BuildError
from clients import Answer, AsyncClient, Client, EspalierError
from training.errors import TrainingError

__all__ = ["Answer", "AsyncClient", "Client", "EspalierError", "main"]

app = typer.Typer(
    help="One frozen BERT trunk, many task branches, served on NVIDIA Triton.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for package in (training, build_tools, clients):
    app.add_typer(package.cli.app)


def main() -> None:
    """Runs the program; what the user can mend is one sentence on stderr and exit code 1, never a traceback."""
    try:
        app()
    except (TrainingError, BuildError, EspalierError) as error:
        sys.exit(f"espalier: {error}")
    except ModuleNotFoundError as error:
        sys.exit(f"espalier: this verb needs the package {error.name!r}: pip install 'espalier[build]'.")
