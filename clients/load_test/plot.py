"""Throughput against latency, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from clients.load_test.load import Concurrency
from clients.load_test.measurement import Measurement
from clients.load_test.protocol import Protocol

# Okabe and Ito's palette, made for colour-blind readers, as in the report's plots.
_COLOURS: dict[Protocol, str] = {"grpc": "#0072B2", "http": "#E69F00", "stream": "#009E73"}
_FAILED = "#D55E00"
_PERCENTILES = ("p50", "p99")


def write_plot(measurements: Sequence[Measurement], file: Path) -> None:
    """Two panels, P50 and P99; in each, a line for each protocol and sort of load, from the least load to the most.

    Points with failed requests carry a cross. Points without any answer have no place in it.
    """
    with mpl.rc_context(
        {
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": 9,
            "grid.color": "#e4e4e4",
            "legend.frameon": False,
        }
    ):
        figure = Figure(figsize=(9.6, 4.2), layout="constrained")
        for axes, percentile in zip(figure.subplots(1, 2), _PERCENTILES, strict=True):
            draw_panel(axes, measurements, percentile)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4)
        figure.savefig(file, dpi=144, metadata={"Software": None})


def draw_panel(axes: Axes, measurements: Sequence[Measurement], percentile: str) -> None:
    """Throughput against the latency of this name (of Latency)."""
    for (protocol, sort), points in _lines(measurements).items():
        places = [(point.texts_per_second, getattr(point.latency, percentile)) for point in points]
        line = "-o" if sort == "callers" else "--s"
        axes.plot(*zip(*places, strict=True), line, color=_COLOURS[protocol], label=f"{protocol}, {sort}", markersize=5)
        for point, place in zip(points, places, strict=True):
            load = point.load
            number = f"{load.callers}" if isinstance(load, Concurrency) else f"{load.per_second:g}"
            axes.annotate(number, place, (4, 4), textcoords="offset points", fontsize=8, color=_COLOURS[protocol])
            if point.failed:
                axes.plot(*place, "x", color=_FAILED, markersize=11, markeredgewidth=2)
    # Latency grows manyfold from one caller to saturation: on a straight scale the low points would be one.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(percentile.upper())
    axes.set_xlabel("texts per second")
    axes.set_ylabel("ms to the last answer")
    axes.margins(0.12)
    axes.set_xlim(left=0)


def _lines(measurements: Sequence[Measurement]) -> dict[tuple[Protocol, str], list[Measurement]]:
    lines: dict[tuple[Protocol, str], list[Measurement]] = {}
    for point in measurements:
        sort = "callers" if isinstance(point.load, Concurrency) else "rate"
        if point.latency is not None:
            lines.setdefault((point.protocol, sort), []).append(point)
    return lines
