import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from clients.load_test.csv_file import write_csv
from clients.load_test.load import Concurrency, Rate
from clients.load_test.measurement import Latency, Measurement
from clients.load_test.plot import draw_panel, write_plot
from clients.load_test.table import print_table

Point = Callable[..., Measurement]


def _printed(*measurements: Measurement) -> str:
    text = io.StringIO()
    print_table(measurements, Console(file=text, width=80))
    return text.getvalue()


def test_csv_has_a_line_for_each_load_with_empty_cells_where_there_is_no_value(point: Point, tmp_path: Path) -> None:
    stream = point("stream", Rate(9.5), p50=40.0, first=Latency(5.5, 5.0, 6.0, 7.0, 8.0))
    write_csv([point("grpc", Concurrency(8)), stream, point(requests=0, failed=2, failure="a, b")], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        closed, opened, failed = csv.DictReader(file)
    assert (closed["callers"], closed["rate"], closed["first_p50_ms"]) == ("8", "", "")
    assert (closed["texts_per_second"], closed["p50_ms"], closed["p99_ms"]) == ("10.0", "20.0", "60.0")
    assert (opened["callers"], opened["rate"], opened["distribution"]) == ("", "9.5", "poisson")
    assert (opened["first_p50_ms"], opened["first_p99_ms"], opened["model"]) == ("5.0", "8.0", "nlu_stream")
    assert (failed["p50_ms"], failed["failed"], failed["failure"]) == ("", "2", "a, b")


def test_a_row_is_json(point: Point) -> None:
    assert json.loads(json.dumps(point(requests=0).row()))["p50_ms"] is None


def test_the_table_fits_a_terminal_with_streams_and_shows_their_first_answers(point: Point) -> None:
    first = Latency(1234.5, 1234.5, 1234.5, 1234.5, 1234.5)
    printed = _printed(point(load=Concurrency(128), p50=999.9), point("stream", Rate(1500.0), p50=4321.0, first=first))
    assert "…" not in printed
    grpc, stream = (line.split() for line in printed.splitlines() if "/s" in line[:20] or "callers" in line)
    assert grpc == ["grpc", "128", "callers", "10.0", "999.9", "3000", "-", "-", "0", "0"]
    assert stream == ["stream", "1500/s", "10.0", "4321", "12963", "1234", "1234", "0", "0"]
    assert "first" not in _printed(point())


def test_errors_are_said_below_the_table(point: Point) -> None:
    printed = _printed(
        point("http", Concurrency(4), failed=3, failure="the queue is full"),
        point("http", Rate(50.0), unanswered=True),
        point("stream", Rate(0.5), requests=0),
        point(task_errors=5, task_error="needs [a] pair"),
        point(task_errors=7, task_error="needs [a] pair"),
    )
    assert "http, 4 callers: 3 requests failed and stopped their senders: the queue is full" in printed
    assert "http, 50/s: requests were still unanswered 30 s after the load had ended" in printed
    assert "stream, 0.5/s: no answer came within 5 s: measure for longer" in printed
    assert "12 answers of single tasks are errors, most often: needs [a] pair" in printed
    assert "errors" not in _printed(point()).replace("task\nerrors", "").splitlines()[-1]


def _axes(measurements: list[Measurement], percentile: str) -> Axes:
    axes = Figure().subplots()
    draw_panel(axes, measurements, percentile)
    return axes


def test_the_plot_has_a_line_for_each_protocol_and_sort_of_load(point: Point, tmp_path: Path) -> None:
    measurements = [
        point("grpc", Concurrency(1), requests=50, p50=10.0),
        point("grpc", Concurrency(8), requests=100, p50=30.0),
        point("grpc", Rate(12.0), requests=60, p50=11.0),
        point("http", Concurrency(1), requests=0),  # nothing was answered: it has no place
    ]
    lines = {line.get_label(): line for line in _axes(measurements, "p99").get_lines()}
    assert list(lines) == ["grpc, callers", "grpc, rate"]
    assert list(lines["grpc, callers"].get_xdata()) == [10.0, 20.0]
    assert list(lines["grpc, callers"].get_ydata()) == [30.0, 90.0]
    write_plot(measurements, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_point_with_failed_requests_carries_a_cross(point: Point) -> None:
    assert len(_axes([point(), point(load=Concurrency(2))], "p50").get_lines()) == 1
    crossed = _axes([point(), point(load=Concurrency(2), requests=20, failed=1)], "p50").get_lines()[1]
    assert crossed.get_marker() == "x"
    assert list(crossed.get_xdata()) == [4.0]
