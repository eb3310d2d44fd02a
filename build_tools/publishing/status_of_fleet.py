"""`espalier status --fleet`: the servers of a fleet, then the tasks of the repository that they share."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from build_tools.errors import BuildError
from build_tools.fleet.asking import Replica
from build_tools.fleet.fleet_status import FleetStatus, canary_counts, fleet_status
from build_tools.fleet.fleet_table import fleet_screen, print_fleet
from build_tools.fleet.replicas import Replicas
from build_tools.publishing.status import TaskStatus, read_status
from build_tools.publishing.status_columns import COLUMNS
from build_tools.publishing.status_table import notes, print_status, status_console, status_table
from build_tools.repository.control_key import needed_control_key
from build_tools.repository.proposal import proposed_generation
from build_tools.repository.registry import read_registry
from clients.address import Address


class WholeStatus(FleetStatus):
    """As `status --fleet --json` prints it."""

    tasks: list[TaskStatus]


def show_fleet(repository: Path, addresses: Iterable[Address], as_json: bool, every: float | None) -> None:
    """Prints the status once, or shows it until Ctrl-C, anew every `every` seconds. Changes nothing.

    Raises BuildError if the folder is no repository. A server that does not answer is part of the status.
    """
    read_registry(repository)
    with Replicas(addresses, needed_control_key(repository)) as replicas:
        if every is not None:
            watch_fleet(repository, replicas, every, Console())
            return
        found = replicas.look()
        status, tasks = _status(repository, found)
        if as_json:
            typer.echo(WholeStatus(**status.model_dump(), tasks=tasks).model_dump_json(indent=2))
            return
        console = status_console()
        print_fleet(status, console)
        print_status(tasks, console)


def watch_fleet(
    repository: Path,
    replicas: Replicas,
    every: float,
    console: Console,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Shows the status until Ctrl-C, or what is wrong with the folder meanwhile."""
    with suppress(KeyboardInterrupt), Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            now = time.strftime("%H:%M:%S")
            try:
                status, tasks = _status(repository, replicas.look())
                table = status_table(tasks, [column for column in COLUMNS if not column.measured and not column.origin])
                below = [Text(note) for task in tasks for note in notes(task)]
                live.update(Group(Text(now), fleet_screen(status), table, *below), refresh=True)
            except (BuildError, OSError) as error:  # the folder may be away: that is worth seeing, too
                live.update(Text(f"{now}  {error}", style="bold red"), refresh=True)
            pause(every)


def _status(repository: Path, found: list[Replica]) -> tuple[FleetStatus, list[TaskStatus]]:
    registry = read_registry(repository)
    counts = canary_counts(found)
    tasks = read_status(repository, registry, None, None, counts=counts)
    return fleet_status(found, registry.generation, proposed_generation(repository)), tasks
