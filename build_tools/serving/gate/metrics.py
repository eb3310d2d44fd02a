"""What the gate counts, for Prometheus. With PROMETHEUS_MULTIPROC_DIR the processes of a server count together."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.refusal import Code

_REQUESTS = Counter("espalier_gate_requests", "Requests by their outcome.", ["protocol", "method", "code"])
_REFUSED = Counter("espalier_gate_refused", "Requests that were not answered, by class.", ["reason"])
_IN_FLIGHT = Gauge("espalier_gate_in_flight", "Requests inside.", multiprocess_mode="livesum")
_SECONDS = Histogram(
    "espalier_gate_seconds",
    "From a request's headers to its last answer.",
    ["protocol"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)

# Looking a child up by its labels takes longer than counting.
_requests = cache(_REQUESTS.labels)
_refused = cache(_REFUSED.labels)
_seconds = cache(_SECONDS.labels)


class GateMetrics:
    """An Observer that counts."""

    def __init__(self) -> None:
        for code in Code:  # a series from the start: Prometheus sees an increase only of one that it knows
            _refused(code.label)

    def began(self, exchange: Exchange) -> None:  # noqa: ARG002
        """See Observer."""
        _IN_FLIGHT.inc()

    def ended(self, exchange: Exchange) -> None:
        """See Observer."""
        _IN_FLIGHT.dec()
        _requests(exchange.protocol, exchange.method, exchange.code).inc()
        if exchange.code != "ok":
            _refused(exchange.code).inc()
        _seconds(exchange.protocol).observe(exchange.seconds)
