import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.gate import line_file
from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.access_log import AccessLog
from build_tools.serving.gate.bytes_tensor import pack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.line_file import LineFile
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.refusal import Code


def _call(*texts: str, tasks: str = "") -> InferCall:
    def column(name: str, values: list[str]) -> Tensor:
        return Tensor(name, "BYTES", (len(values), 1), pack_texts([value.encode() for value in values]))

    inputs = [column("text", [*texts])]
    if tasks:
        inputs.append(column("tasks", [tasks] * len(texts)))
    return InferCall("nlu", id="7", inputs=inputs)


def _lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _logged(file: Path, *exchanges: Exchange, texts: bool = False) -> list[dict]:
    log = AccessLog(LineFile(str(file)), texts)
    for exchange in exchanges:
        log.ended(exchange)
    log.close()
    return _lines(file)


def test_a_line_tells_who_asked_for_what_and_how_it_ended(tmp_path: Path) -> None:
    exchange = Exchange("grpc", "ModelInfer", "abc", received=100, sent=50)
    exchange.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    exchange.caller = Caller("team-a")
    exchange.call = _call("one", "two", tasks="intent, mood")

    (line,) = _logged(tmp_path / "log", exchange)

    when, took = datetime.fromisoformat(line.pop("time")), line.pop("ms")
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
    assert took > 0
    assert line == {
        "request": "abc",
        "caller": "team-a",
        "protocol": "grpc",
        "method": "ModelInfer",
        "model": "nlu",
        "tasks": ["intent", "mood"],
        "texts": 2,
        "code": "ok",
        "received": 100,
        "sent": 50,
        "trace": "0af7651916cd43dd8448eb211c80319c",
    }


def test_texts_are_written_only_if_they_are_asked_for(tmp_path: Path) -> None:
    exchange = Exchange("grpc", "ModelInfer", "abc", call=_call("geheim ü\n"))

    assert "geheim" not in json.dumps(_logged(tmp_path / "plain", exchange))
    assert _logged(tmp_path / "texts", exchange, texts=True)[0]["text"] == ["geheim ü\n"]


def test_a_refusal_has_its_class_and_sentence_but_not_without_bound(tmp_path: Path) -> None:
    exchange = Exchange("http", "infer", "abc", code=Code.INVALID.label, sentence="x" * 5000)
    exchange.call = _call("one", tasks="t" * 100_000)

    (line,) = _logged(tmp_path / "log", exchange)

    assert (line["code"], len(line["error"]), [len(name) for name in line["tasks"]]) == ("invalid", 200, [200])


def test_probes_that_find_all_well_are_not_written(tmp_path: Path) -> None:
    lines = _logged(
        tmp_path / "log",
        Exchange("grpc", "ServerReady", "a"),
        Exchange("grpc", "ServerReady", "b", code=Code.UNAVAILABLE.label),
    )

    assert [line["request"] for line in lines] == ["b"]


def test_a_file_that_was_moved_away_is_opened_anew_and_one_that_was_cut_is_written_on(tmp_path: Path) -> None:
    file = LineFile(str(tmp_path / "log"))
    file.add(lambda: "first")
    _wait_for(lambda: (tmp_path / "log").read_text() == "first\n")
    (tmp_path / "log").rename(tmp_path / "log.1")
    file.add(lambda: "second")
    _wait_for(lambda: (tmp_path / "log").is_file() and (tmp_path / "log").read_text() == "second\n")
    os.truncate(tmp_path / "log", 0)
    file.add(lambda: "third")
    file.close()

    assert (tmp_path / "log").read_text() == "third\n"
    assert (tmp_path / "log.1").read_text() == "first\n"


def test_a_line_that_cannot_be_made_does_not_end_the_log(tmp_path: Path) -> None:
    def fails() -> str:
        raise ValueError("a bug")

    file = LineFile(str(tmp_path / "log"))
    for line in (lambda: "first", fails, lambda: "second"):
        file.add(line)
    file.close()

    assert (tmp_path / "log").read_text() == "first\nsecond\n"


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    files = [LineFile(str(tmp_path / "log")) for _ in range(3)]
    for number in range(200):
        for writer, file in enumerate(files):
            file.add(lambda number=number, writer=writer: json.dumps([writer, number, "x" * 500]))
    for file in files:
        file.close()

    assert len(_lines(tmp_path / "log")) == 600


def test_a_reader_that_does_not_read_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(line_file, "_STDOUT", writing)
    file = LineFile("-")
    os.close(writing)  # the file has its own
    begun = time.perf_counter()
    for _ in range(30_000):  # more than a pipe holds, and more than may wait
        file.add(lambda: "x" * 100)
    assert time.perf_counter() - begun < 5

    received = []
    threading.Thread(target=lambda: received.append(_drained(reading)), daemon=True).start()
    file.close()
    _wait_for(lambda: bool(received))
    assert received[0] > 0


def test_a_file_that_cannot_be_opened_is_told_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"No such file or directory.*give another file as --access-log"):
        LineFile(str(tmp_path / "missing" / "log"))


def _drained(reading: int) -> int:
    size = 0
    while chunk := os.read(reading, 65536):
        size += len(chunk)
    return size


def _wait_for(is_so) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
