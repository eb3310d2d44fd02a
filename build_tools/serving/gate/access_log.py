"""The access log: one JSON object a line for each request, without its texts unless they are asked for."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from build_tools.serving.gate.bytes_tensor import unpack_texts
from build_tools.serving.gate.line_file import LineFile
from build_tools.serving.gate.observers import Exchange

_MOST_TASKS = 50  # names in a line; a caller may send any
_LONGEST = 200  # characters of a task's name, or of a sentence
# Probes come every few seconds from everywhere, and say nothing while all is well.
_PROBES = frozenset({"ServerLive", "ServerReady", "live", "ready"})


class AccessLog:
    """An Observer that writes a line when a request has ended. texts: also write the texts and pairs that were sent."""

    def __init__(self, file: LineFile, texts: bool) -> None:
        self._file = file
        self._texts = texts

    def began(self, exchange: Exchange) -> None:
        """See Observer."""

    def ended(self, exchange: Exchange) -> None:
        """See Observer."""
        if exchange.method not in _PROBES or exchange.code != "ok":
            ended, seconds = time.time(), exchange.seconds  # not later, in the thread that writes
            self._file.add(lambda: self._line(exchange, ended, seconds))

    def close(self) -> None:
        """Writes what waits."""
        self._file.close()

    def _line(self, exchange: Exchange, ended: float, seconds: float) -> str:
        call = exchange.call
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds"),
            "request": exchange.id or (call.id if call else ""),
            "caller": exchange.caller.name,
            "protocol": exchange.protocol,
            "method": exchange.method,
            "model": call.model if call else "",
            "tasks": _tasks(call.tasks) if call else [],
            "texts": call.texts if call else 0,
            "code": exchange.code,
            "ms": round(seconds * 1000, 2),
            "received": exchange.received,
            "sent": exchange.sent,
        }
        if exchange.traceparent:
            line["trace"] = exchange.traceparent[3:35]
        if exchange.sentence:
            line["error"] = exchange.sentence[:_LONGEST]
        if self._texts and call:
            for name in ("text", "pair"):
                tensor = call.input(name)
                if tensor is not None:
                    line[name] = [text.decode(errors="replace") for text in unpack_texts(tensor.raw)]
        return json.dumps(line, ensure_ascii=False)


def _tasks(rows: list[str]) -> list[str]:
    """Returns the names in these lists, each once, in the order in which they were sent."""
    names = dict.fromkeys(name.strip()[:_LONGEST] for row in dict.fromkeys(rows) for name in row.split(","))
    return list(names)[:_MOST_TASKS]
