"""Espalier: one frozen BERT trunk, many independently updated task branches, served on NVIDIA Triton.

`from espalier import Client` is the way in for programs; `main` is the command-line program `espalier`.
"""

import signal
import sys

from clients import Answer, AsyncClient, Client, EspalierError

__all__ = ["Answer", "AsyncClient", "Client", "EspalierError", "main"]


def main() -> None:
    """Runs the program, which puts the verbs of the three packages together.

    What the user can mend is one sentence on stderr and exit code 1, never a traceback.
    """
    # Here, so that a program that only asks loads none of it.
    import typer

    import build_tools.cli
    import clients.cli
    import training.cli
    from build_tools.errors import BuildError
    from training.errors import TrainingError

    app = typer.Typer(
        help="One frozen BERT trunk, many task branches, served on NVIDIA Triton.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    # An ordinary `kill` ends the program as Ctrl-C does: what was staged is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for package in (training, build_tools, clients):
        app.add_typer(package.cli.app)
    try:
        app()
    except (TrainingError, BuildError, EspalierError, OSError) as error:
        sys.exit(f"espalier: {error}")
    except ModuleNotFoundError as error:
        sys.exit(
            f"espalier: this verb needs the package {error.name!r}: install Espalier with its extra `build` "
            "(pip install '.[build]' in its folder)."
        )
