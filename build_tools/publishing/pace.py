"""How fast tasks answer and what their processes hold, from the metrics of a server at one or two moments."""

from collections.abc import Mapping
from dataclasses import dataclass

from build_tools.publishing.histogram import percentile
from build_tools.publishing.metrics_page import MetricsPage

# Written by model_repository/nlu/1/router/metrics.py and by the supervisor; see docs/observability.md.
TEXTS = "espalier_texts_total"
ERRORS = "espalier_errors_total"
SECONDS = "espalier_branch_seconds_bucket"
PROCESSES = "espalier_model_processes"
MEMORY = "espalier_model_memory_bytes"


@dataclass(frozen=True)
class Pace:
    """One version of a task. Without an earlier moment the rates are None, and the percentiles are of all its calls.

    texts, errors: per second. p50, p99: milliseconds of a branch call, None if there was none.
    """

    texts: float | None
    errors: float | None
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Footprint:
    """The processes of one Triton model. memory: bytes that they hold in memory."""

    processes: int
    memory: int


def paces(page: MetricsPage, before: MetricsPage | None) -> dict[tuple[str, int], Pace]:
    """Returns {(task, version): its pace} of all versions that routers have asked."""
    texts, errors = _rates(TEXTS, page, before), _rates(ERRORS, page, before)
    buckets = grown(SECONDS, page, before, "task", "version", "le")
    by_version: dict[tuple[str, str], dict[float, float]] = {}
    for (task, version, bound), number in buckets.items():
        by_version.setdefault((task, version), {})[float(bound)] = number
    found = {}
    for key in texts.keys() | by_version.keys():
        p50, p99 = _percentiles(by_version.get((key[0], key[1]), {}))
        found[key[0], int(key[1])] = Pace(
            None if before is None else texts.get(key, 0.0),
            None if before is None else errors.get(key, 0.0),
            p50,
            p99,
        )
    return found


def footprints(page: MetricsPage) -> dict[str, Footprint]:
    """Returns {Triton model: its processes}, of the models that the supervisor watches."""
    memory = page.sums(MEMORY, "model")
    return {
        model: Footprint(int(processes), int(memory.get((model,), 0)))
        for (model,), processes in page.sums(PROCESSES, "model").items()
    }


def rate(name: str, page: MetricsPage, before: MetricsPage) -> float:
    """Returns by how much the sum of a counter's samples has grown per second."""
    return sum(_rates(name, page, before, by=()).values())


def latency(buckets: str, page: MetricsPage, before: MetricsPage | None) -> tuple[float | None, float | None]:
    """Returns P50 and P99 of a histogram of seconds, in milliseconds; buckets: the name of its buckets."""
    return _percentiles({float(bound): number for (bound,), number in grown(buckets, page, before, "le").items()})


def _percentiles(seconds: Mapping[float, float]) -> tuple[float | None, float | None]:
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return None if p50 is None else p50 * 1000, None if p99 is None else p99 * 1000


def _rates(
    name: str, page: MetricsPage, before: MetricsPage | None, by: tuple[str, ...] = ("task", "version")
) -> Mapping[tuple[str, ...], float]:
    seconds = 1.0 if before is None else max(page.seconds - before.seconds, 1e-3)
    return {key: number / seconds for key, number in grown(name, page, before, *by).items()}


def grown(name: str, page: MetricsPage, before: MetricsPage | None, *by: str) -> dict[tuple[str, ...], float]:
    """Returns by how much each sum has grown since `before`. A counter that was set back has begun anew at 0."""
    now = page.sums(name, *by)
    if before is None:
        return now
    then = before.sums(name, *by)
    return {key: number - then.get(key, 0.0) if number >= then.get(key, 0.0) else number for key, number in now.items()}
