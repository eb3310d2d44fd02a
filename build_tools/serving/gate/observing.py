"""The observers that were asked for: the access log, and traces."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from build_tools.serving.gate.access_log import AccessLog
from build_tools.serving.gate.line_file import LineFile
from build_tools.serving.gate.observers import Observer
from build_tools.serving.gate.settings import GateSettings

# Variables of OpenTelemetry that name a collector.
_COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def observing(settings: GateSettings) -> Iterator[list[Observer]]:
    """Yields the observers of a gate process, and lets them write what waits in the end.

    Traces come first: the access log names the trace. Raises ServeError if the access log cannot be opened.
    """
    with ExitStack() as opened:
        observers: list[Observer] = []
        if _is_traced():
            from build_tools.serving.gate.tracing import Traces

            traces = Traces()
            opened.callback(traces.close)
            observers.append(traces)
        if settings.access_log is not None:
            log = AccessLog(LineFile(settings.access_log), settings.access_log_texts)
            opened.callback(log.close)
            observers.append(log)
        yield observers


def _is_traced() -> bool:
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and any(os.environ.get(name) for name in _COLLECTOR)
