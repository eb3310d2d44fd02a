"""Espalier: one frozen BERT trunk, many independently updated task branches, served on NVIDIA Triton.

`from espalier import Client` is the way in for programs; `main` is the command-line program `espalier`.
"""

import atexit
import codecs
import gc
import io
import json
import platform
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from clients import (
    Answer,
    AsyncClient,
    Client,
    RequestRejected,
    ScoredLabel,
    ServerFailed,
    ServerUnavailable,
    Span,
    Word,
)
from espalier_errors import EspalierError

# Triton's wheel and numpy 1 end below it; see the extra `serving` in pyproject.toml.
FIRST_PYTHON_FOR_CLIENTS_ALONE = (3, 13)

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "EspalierError",
    "RequestRejected",
    "ScoredLabel",
    "ServerFailed",
    "ServerUnavailable",
    "Span",
    "Word",
    "main",
]


def main() -> None:
    """Runs the program, which puts the verbs of the three packages together.

    An error that the user can fix is one sentence on stderr and exit code 1, never a traceback. A TrainingWarning is
    one sentence on stderr too, and the program continues.
    """
    _make_writable(sys.stdout)
    atexit.register(gc.freeze)  # at the end a last search for garbage among all of torch's objects would take a second
    # Here, so that a program that only asks loads none of it.
    from build_tools.backends.espalier_backend.telemetry import turn_off_telemetry

    turn_off_telemetry()
    import typer

    import build_tools.cli
    import clients.cli
    import training.cli
    from build_tools.stop_signals import stop_signals
    from training.errors import TrainingWarning

    app = typer.Typer(
        help="One frozen BERT trunk, many task branches, served on NVIDIA Triton.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    # An ordinary `kill`, or a terminal that is closed, ends the program as Ctrl-C does: staged files are removed.
    for number in stop_signals():
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    warnings.formatwarning = _sentence_for(TrainingWarning, warnings.formatwarning)
    for package in (training, build_tools, clients):
        app.add_typer(package.cli.app)
    try:
        app()
    except (EspalierError, OSError) as error:
        sys.exit(f"espalier: {error}")
    except ModuleNotFoundError as error:
        newer = sys.version_info >= FIRST_PYTHON_FOR_CLIENTS_ALONE
        python = f", on Python 3.11 or 3.12: this is {platform.python_version()}" if newer else ""
        sys.exit(
            f"espalier: this verb needs the package {error.name!r}: install Espalier with its extra `build` "
            f"(pip install '.[build]' in its folder){python}."
        )


def _make_writable(stream: TextIO) -> None:
    r"""Lets a stream whose encoding is not UTF-8 write other characters as \uXXXX, which JSON reads as well."""
    codecs.register_error("json_escape", _escape)
    if isinstance(stream, io.TextIOWrapper):  # a test's or an embedding program's own stream may be none
        stream.reconfigure(errors="json_escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    escaped = json.dumps(error.object[error.start : error.end])[1:-1]
    return escaped, error.end


def _sentence_for(plain: type[Warning], with_place: Callable[..., str]) -> Callable[..., str]:
    """A warnings.formatwarning that shows warnings of the class `plain` without their place in the source."""

    def format_warning(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
        if issubclass(category, plain):
            return f"espalier: {message}\n"
        return with_place(message, category, *place, **line)

    return format_warning
