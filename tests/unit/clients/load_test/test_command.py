import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients import cli
from clients.errors import ServerUnavailable
from clients.load_test import measure, perf_analyzer, probe
from clients.load_test.load import Concurrency, Rate
from clients.load_test.measurement import Measurement
from espalier_errors import EspalierError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "a"}\n{"text": "b", "text_pair": "c"}\n', encoding="utf-8")
    return file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, point: Callable[..., Measurement]) -> list[tuple[Any, ...]]:
    """Puts a recorder in place of perf_analyzer; of three loads the last gets no answer."""
    made: list[tuple[Any, ...]] = []

    def measure_nothing(
        url: str, model: str, inputs: Path, load: Any, protocol: Any, seconds: float, warm_up: float
    ) -> Measurement:
        steps = json.loads(inputs.read_text(encoding="utf-8"))["data"]
        sent = [{name: tensor["content"] for name, tensor in sorted(step.items())} for step in steps]
        made.append((url, model, load, protocol, seconds, warm_up, sent))
        return point(protocol, load, requests=0 if len(made) == 3 else 50)

    monkeypatch.setattr(measure, "measure", measure_nothing)
    monkeypatch.setattr(probe, "probe", lambda *_: None)
    monkeypatch.setattr(perf_analyzer, "find_perf_analyzer", lambda: Path("perf_analyzer"))
    return made


def _run(file: Path, *options: str) -> Any:
    return CliRunner().invoke(cli.app, ["load-test", str(file), "--output", str(file.parent / "out"), *options])


def test_every_protocol_gets_every_load_at_its_own_address(file: Path, calls: list[tuple[Any, ...]]) -> None:
    result = _run(
        file, "--protocol", "stream,http", "--concurrency", "4", "--url", "g:1", "--http-url", "http://h:2",
        "--tasks", "x, y", "--seconds", "3", "--warm-up", "1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [call[:6] for call in calls] == [
        ("http://h:2", "nlu", Concurrency(4), "http", 3.0, 1.0),
        ("g:1", "nlu_stream", Concurrency(4), "stream", 3.0, 1.0),
    ]
    assert sorted(calls[0][6], key=len) == [
        {"tasks": ["x,y"], "text": ["a"]},
        {"pair": ["c"], "tasks": ["x,y"], "text": ["b"]},
    ]
    assert len((file.parent / "out" / "load_test.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert (file.parent / "out" / "load_test.png").is_file()
    assert "stream" in result.stdout


def test_json_replaces_the_table_and_a_load_without_any_answer_makes_the_exit_code_1(
    file: Path, calls: list[tuple[Any, ...]]
) -> None:
    result = _run(file, "--rate", "5,10", "--json")
    assert result.exit_code == 0
    assert [row["rate"] for row in json.loads(result.stdout)] == [5.0, 10.0]
    assert [call[2] for call in calls] == [Rate(5.0), Rate(10.0)]
    assert _run(file, "--concurrency", "1").exit_code == 1


def test_an_interrupted_sweep_keeps_the_loads_it_has(
    file: Path, calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = measure.measure

    def break_at_the_second(*arguments: Any) -> Measurement:
        if len(calls) == 1:
            raise ServerUnavailable("gone")
        return recorded(*arguments)

    monkeypatch.setattr(measure, "measure", break_at_the_second)
    result = _run(file, "--concurrency", "1,2")
    assert str(result.exception) == "gone"
    assert len((file.parent / "out" / "load_test.csv").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--protocol", "soap"], "--protocol: 'soap' is none of grpc, http, stream"),
        (["--concurrency", "x"], "--concurrency: 'x' is not a list of numbers"),
        (["--tasks", ","], "--tasks is empty"),
        (
            ["--protocol", "http", "--http-url", "h:2"],
            "'h:2' is not an address for a load over http: write http://host",
        ),
        (["--url", "http://h:2"], "'http://h:2' is not an address for a load over grpc: write host:8001"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_a_bad_option_is_one_sentence(file: Path, options: list[str], sentence: str) -> None:
    result = _run(file, *options)
    assert isinstance(result.exception, EspalierError)
    assert str(result.exception).startswith(sentence)


@pytest.mark.usefixtures("calls")
def test_without_matplotlib_it_says_so_before_it_measures(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "clients.load_test.plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert str(_run(file).exception).startswith("a load test needs the package matplotlib: install Espalier")
