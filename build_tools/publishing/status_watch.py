"""`espalier status --watch`: the status of a running server on one screen, anew every few seconds."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from build_tools.errors import BuildError
from build_tools.publishing.metrics_page import MetricsPage, read_metrics
from build_tools.publishing.server_summary import summary
from build_tools.publishing.status import read_status
from build_tools.publishing.status_columns import COLUMNS
from build_tools.publishing.status_table import notes, status_table
from build_tools.repository.registry import read_registry


def watch_status(
    repository: Path,
    url: str,
    metrics_url: str,
    every: float,
    console: Console,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Shows the server's state until Ctrl-C, anew every `every` seconds.

    url, metrics_url: host:port of its gRPC endpoint and of its metrics. A server that does not answer is said on the
    screen, because a watch that ends when something fails misses what it is for. Raises BuildError if the server does
    not answer the first time: then the address is wrong.
    """
    before = read_metrics(metrics_url)
    with suppress(KeyboardInterrupt), Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        live.update(_screen(repository, url, before, None), refresh=True)
        while True:
            pause(every)
            try:
                page = read_metrics(metrics_url)
                live.update(_screen(repository, url, page, before), refresh=True)
                before = page
            except (BuildError, OSError) as error:
                live.update(Text(f"{time.strftime('%H:%M:%S')}  {error}", style="bold red"), refresh=True)


def _screen(repository: Path, url: str, page: MetricsPage, before: MetricsPage | None) -> RenderableType:
    tasks = read_status(repository, read_registry(repository), url, page, before, ask=False)
    below = [Text(note) for task in tasks for note in notes(task)]
    table = status_table(tasks, [column for column in COLUMNS if not column.origin])
    return Group(Text(f"{time.strftime('%H:%M:%S')}  {summary(page, before)}"), table, *below)
