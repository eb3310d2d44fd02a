"""The columns of `espalier status`: one list, for the table and for the screen of --watch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from build_tools.publishing.status import TaskStatus


@dataclass(frozen=True)
class Column:
    """cell: what a task has there. number: aligned to the right.

    measured: from the server's metrics, so there is nothing to show where none were read. origin: where the live
    version comes from, which does not change from one second to the next.
    """

    title: str
    cell: Callable[[TaskStatus], str]
    number: bool = False
    measured: bool = False
    origin: bool = False


def _shown(number: float | None, form: str = "") -> str:
    return "-" if number is None else format(number, form)


def _previous(task: TaskStatus) -> str:
    held = None if task.loaded is None else {*task.loaded, *task.silent}
    on_disk = task.previous is not None and held is not None and task.previous not in held
    return f"{_shown(task.previous)} (on disk)" if on_disk else _shown(task.previous)


def _candidate(task: TaskStatus) -> str:
    candidate = task.candidate
    if candidate is None:
        return ""
    return f"{candidate.version} {candidate.kind}" + (f" {100 * candidate.share:.3g}%" if candidate.share else "")


def _loaded(task: TaskStatus) -> str:
    if task.loaded is None:
        return "-"
    return ", ".join([*map(str, task.loaded), *(f"{number} (no answer)" for number in sorted(task.silent))])


def _layers(task: TaskStatus) -> str:
    return "-" if task.layers is None or task.own_layers is None else f"{task.layers} + {task.own_layers}"


COLUMNS = (
    Column("task", lambda task: task.task),
    Column("live", lambda task: str(task.live), number=True),
    Column("previous", _previous, number=True),
    Column("candidate", _candidate),
    Column("loaded", _loaded),
    Column("requests", lambda task: _shown(task.requests), number=True),
    Column("errors", lambda task: _shown(task.errors), number=True),
    Column("texts/s", lambda task: _shown(task.texts_per_second, ".1f"), number=True, measured=True),
    Column("errors/s", lambda task: _shown(task.errors_per_second, ".1f"), number=True, measured=True),
    Column("P50 ms", lambda task: _shown(task.p50, ".1f"), number=True, measured=True),
    Column("P99 ms", lambda task: _shown(task.p99, ".1f"), number=True, measured=True),
    Column("runs in", lambda task: task.runs_in),
    Column("layers", _layers, number=True),
    Column("ms/text", lambda task: _shown(task.milliseconds, ".2f"), number=True, measured=True),
    Column("processes", lambda task: _shown(task.processes), number=True, measured=True),
    Column(
        "MB",
        lambda task: _shown(None if task.memory is None else task.memory / 2**20, ".0f"),
        number=True,
        measured=True,
    ),
    Column("since", lambda task: f"{task.published_at:%Y-%m-%d %H:%M}", origin=True),
    Column("by", lambda task: task.published_by, origin=True),
    Column("data", lambda task: PurePath(task.data).name, origin=True),
)
