"""What one point of a load test found."""

from dataclasses import dataclass

import numpy as np

from clients.load_test.load import Load, Rate
from clients.load_test.protocol import Protocol


@dataclass(frozen=True)
class Latency:
    """Milliseconds from sending a request to an answer, over all requests: mean and percentiles."""

    average: float
    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Measurement:
    """One load on one model.

    requests: answered within `seconds`, each with one text.
    latency: from sending to the answer, of a stream to its last one. None without any request.
    first: of a stream, from sending to the first answer that is not an error. None for the other protocols.
    failed: requests that the server refused or failed on. perf_analyzer stops a sender at its first failed request,
        so the other figures are those of the remaining senders.
    failure: the commonest message of those, or "".
    unanswered: whether some requests had no answer 30 s after the load, too late to count.
    task_errors: answers of single tasks with an error (of the router only); the request counts as answered.
    task_error: the commonest message of those, or "".
    """

    protocol: Protocol
    model: str
    load: Load
    seconds: float
    requests: int
    latency: Latency | None
    first: Latency | None
    failed: int
    failure: str
    unanswered: bool
    task_errors: int
    task_error: str

    @property
    def texts_per_second(self) -> float:
        return self.requests / self.seconds

    def row(self) -> dict[str, str | int | float | bool | None]:
        """All of it by name, flat, for CSV and JSON."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            **_load_columns(self.load),
            "seconds": self.seconds,
            "requests": self.requests,
            "texts_per_second": round(self.texts_per_second, 2),
            **_latency_columns("", self.latency),
            **_latency_columns("first_", self.first),
            "failed": self.failed,
            "failure": self.failure,
            "unanswered": self.unanswered,
            "task_errors": self.task_errors,
            "task_error": self.task_error,
        }


def latency_of(milliseconds: np.ndarray) -> Latency | None:
    """The latency over [N] values, of which NaN are left out; None if there are none."""
    values = milliseconds[~np.isnan(milliseconds)]
    if not values.size:
        return None
    p50, p90, p95, p99 = (float(value) for value in np.percentile(values, (50, 90, 95, 99)))
    return Latency(float(values.mean()), p50, p90, p95, p99)


def _load_columns(load: Load) -> dict[str, str | int | float | None]:
    if isinstance(load, Rate):
        return {"callers": None, "rate": load.per_second, "distribution": load.distribution}
    return {"callers": load.callers, "rate": None, "distribution": None}


def _latency_columns(prefix: str, latency: Latency | None) -> dict[str, float | None]:
    names = {"average": "average_ms", "p50": "p50_ms", "p90": "p90_ms", "p95": "p95_ms", "p99": "p99_ms"}
    return {
        f"{prefix}{column}": None if latency is None else round(getattr(latency, name), 3)
        for name, column in names.items()
    }
