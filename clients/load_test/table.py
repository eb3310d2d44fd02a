"""The measurements for a person to read."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.load_test.measurement import Measurement
from clients.load_test.process import DRAIN_SECONDS

_PERCENTILES = ("p50", "p99")


def print_table(measurements: Sequence[Measurement], console: Console) -> None:
    """One line a measurement, latencies in milliseconds, and below it a sentence for each that had errors."""
    streams = any(measurement.first is not None for measurement in measurements)
    titles = ["protocol", "load", "texts/s", "P50", "P99"]
    titles += ["first\nP50", "first\nP99"] * streams
    titles += ["failed", "task\nerrors"]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title in ("protocol", "load") else "right", no_wrap=True)
    for measurement in measurements:
        cells = _cells(measurement, streams)
        table.add_row(
            *(Text(cell) for cell in cells), style="red" if measurement.failed or measurement.unanswered else ""
        )
    console.print(table)
    for note in _notes(measurements):
        console.print(Text(note), soft_wrap=True)


def _cells(measurement: Measurement, streams: bool) -> list[str]:
    times = [getattr(measurement.latency, name, None) for name in _PERCENTILES]
    if streams:
        times += [getattr(measurement.first, name, None) for name in _PERCENTILES]
    return [
        measurement.protocol,
        str(measurement.load),
        f"{measurement.texts_per_second:.1f}",
        *("-" if time is None else f"{time:.1f}" if time < 1000 else f"{time:.0f}" for time in times),
        str(measurement.failed),
        str(measurement.task_errors),
    ]


def _notes(measurements: Sequence[Measurement]) -> list[str]:
    notes = []
    for measurement in measurements:
        point = f"{measurement.protocol}, {measurement.load}"
        if measurement.failed:
            senders = "its sender" if measurement.failed == 1 else "their senders"
            failed = "1 request" if measurement.failed == 1 else f"{measurement.failed} requests"
            notes.append(f"{point}: {failed} failed and stopped {senders}: {measurement.failure}")
        if not measurement.requests and not measurement.failed:
            notes.append(f"{point}: no answer came within {measurement.seconds:g} s: measure for longer")
        if measurement.unanswered:
            notes.append(f"{point}: requests were still unanswered {DRAIN_SECONDS:g} s after the load had ended")
    with_errors = [measurement for measurement in measurements if measurement.task_errors]
    if with_errors:
        most = max(with_errors, key=lambda measurement: measurement.task_errors)
        total = sum(measurement.task_errors for measurement in with_errors)
        notes.append(f"{total} answers of single tasks are errors, most often: {most.task_error}")
    return notes
