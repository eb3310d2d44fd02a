"""The status of a fleet as a table."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from build_tools.fleet.fleet_status import FleetStatus, ReplicaStatus

_NUMBERS = ("generation", "requests", "errors", "restarts", "MB")


def print_fleet(status: FleetStatus, console: Console) -> None:
    """Prints one line for each server, the sums, and below the table what differs."""
    console.print(fleet_screen(status), soft_wrap=True)


def fleet_screen(status: FleetStatus) -> RenderableType:
    """Returns the table and the lines below it."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_footer=True)
    total = f"{len(status.replicas)} servers"
    ready = f"{status.ready} ready"
    memory = _megabytes(status.memory_bytes)
    sums = (total, "", ready, f"{status.at_generation} at {status.generation}", str(status.requests))
    footers = (*sums, str(status.errors), "", memory)
    for title, footer in zip(("address", "server", "state", *_NUMBERS), footers, strict=True):
        table.add_column(title, Text(footer), justify="right" if title in _NUMBERS else "left", no_wrap=True)
    for one in status.replicas:
        table.add_row(*map(Text, _cells(one)))
    lines = [Text(f"{one.address}: {one.differs}") for one in status.replicas if one.differs]
    if status.proposed is not None:
        lines.append(Text(f"generation {status.proposed} is proposed, {status.generation} is committed"))
    return Group(table, *lines)


def _cells(one: ReplicaStatus) -> list[str]:
    state = "unreachable" if not one.reachable else "ready" if one.ready else "not ready"
    numbers = (one.generation, one.requests, one.errors, one.server_restarts)
    shown = ["-" if number is None else str(number) for number in numbers]
    return [one.address, one.server or "-", state, *shown, _megabytes(one.memory_bytes)]


def _megabytes(memory: int | None) -> str:
    return "-" if memory is None else f"{memory / 2**20:.0f}"
