"""Rivals behind Triton: loads on a running server."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from errors import BenchError
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from texts import SPECIAL

from build_tools.serving.triton.server import TritonServer
from clients.load_test.inputs import prepare_inputs
from clients.load_test.load import Concurrency, Load, Rate
from clients.load_test.measure import measure
from clients.load_test.measurement import Latency, Measurement
from clients.load_test.protocol import Protocol

WARM_UP_SECONDS = 1.0
# What all callers together send at a time is no more than so many tokens: that keeps all cores busy, and with more of
# the longest texts the slowest rival would take minutes for a batch.
SATURATING_TOKENS = 1024
# Single-task serving takes many seconds for as much: it gets half, lest answers come too late.
SINGLE_SATURATING_TOKENS = 512
# Batches of every size come up under many callers, and a runtime prepares its kernels for each when it first sees it.
SATURATION_WARM_UP_SECONDS = 4.0
MIXED_WARM_UP_SECONDS = 5.0  # the same for texts of many lengths, which come in many more shapes
LATENCIES = 4  # of saturated texts, that a window is to hold; but it is no longer than this:
MOST_SECONDS = 25.0
NEARLY = 1.5  # a window is not repeated to be less than so many times as long
SHARE_OF_SATURATION = 0.7


@dataclass(frozen=True)
class Press:
    """Texts, and how long and by how many callers, at most, a server is pressed with them."""

    texts: Sequence[str]
    seconds: float
    callers: int

    def saturating_callers(self, tokens: int = SATURATING_TOKENS) -> int:
        """How many callers press at saturation, with no more than so many tokens of them all at a time."""
        mean = fmean(len(text.split()) + SPECIAL for text in self.texts)
        return max(1, min(self.callers, int(tokens / mean)))

    def saturate(
        self,
        server: TritonServer,
        model: str,
        tasks: Sequence[str] | None = None,
        tokens: int = SATURATING_TOKENS,
    ) -> dict[str, float]:
        """texts_per_second and saturated_p50_ms with all callers.

        Answers come a batch at a time: a window that holds too few batches is repeated, longer.
        """
        load = Concurrency(self.saturating_callers(tokens))
        warm_up = max(SATURATION_WARM_UP_SECONDS, self._warm_up_seconds)
        press = self
        while True:
            found = press._measure(server, model, load, tasks, warm_up=warm_up)
            wanted = LATENCIES * _round_trip(found, load.callers) if found.latency else MOST_SECONDS
            longer = min(wanted, MOST_SECONDS)
            if longer <= NEARLY * press.seconds:
                return {"texts_per_second": found.texts_per_second, "saturated_p50_ms": _latency(found).p50}
            press, warm_up = replace(self, seconds=longer), WARM_UP_SECONDS

    def one_caller(self, server: TritonServer, model: str, tasks: Sequence[str] | None = None) -> dict[str, float]:
        """p50_ms and p99_ms."""
        latency = _latency(self._measure(server, model, Concurrency(1), tasks))
        return {"p50_ms": latency.p50, "p99_ms": latency.p99}

    def stream(self, server: TritonServer) -> dict[str, float]:
        """stream_first_ms and stream_last_ms: P50 to the first and the last answer of one caller."""
        found = self._measure(server, "nlu_stream", Concurrency(1), None, "stream")
        if found.first is None:
            raise BenchError("a stream brought no answer: see the server's log.")
        return {"stream_first_ms": found.first.p50, "stream_last_ms": _latency(found).p50}

    def below_saturation(self, server: TritonServer, saturated: float) -> dict[str, float]:
        """load_p50_ms and load_p99_ms while texts come at random, 0.7 times as many a second as `saturated`.

        Twice the seconds, because a P99 needs many texts.
        """
        longer = replace(self, seconds=2 * self.seconds)
        latency = _latency(longer._measure(server, "nlu", Rate(SHARE_OF_SATURATION * saturated), None))
        return {"load_p50_ms": latency.p50, "load_p99_ms": latency.p99}

    @property
    def _warm_up_seconds(self) -> float:
        is_mixed = len({len(text.split()) for text in self.texts}) > 1
        return MIXED_WARM_UP_SECONDS if is_mixed else WARM_UP_SECONDS

    def _measure(
        self,
        server: TritonServer,
        model: str,
        load: Load,
        tasks: Sequence[str] | None,
        protocol: Protocol = "grpc",
        warm_up: float | None = None,
    ) -> Measurement:
        warm_up = self._warm_up_seconds if warm_up is None else warm_up
        with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder:
            inputs = Path(folder, "inputs.json")
            prepare_inputs(self.texts, None, tasks, inputs)
            found = measure(server.grpc_url, model, inputs, load, protocol, self.seconds, warm_up)
        if found.failed or found.task_errors or found.unanswered:
            said = found.failure or found.task_error or "answers came too late"
            raise BenchError(f"{model} failed under {load}, so that its figures would be no figures: {said}")
        return found


def token_counts(metrics: Path, model: str) -> tuple[int, int]:
    """Tokens that the router has sent through the trunk, and how many were padding. metrics: the server's folder."""
    time.sleep(1)  # routers hand over what they count a few times a second
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(metrics))
    samples = [sample for family in registry.collect() for sample in family.samples]
    tokens, padding = (
        sum(int(one.value) for one in samples if one.name == f"espalier_{name}_total" and one.labels["model"] == model)
        for name in ("tokens", "padding_tokens")
    )
    return tokens, padding


def _round_trip(found: Measurement, callers: int) -> float:
    """Seconds between two answers to a caller.

    By Little's law as well as by the median: a short window may see but one length group of a batch come back.
    """
    by_median = _latency(found).p50 / 1000
    return max(by_median, callers / found.texts_per_second) if found.texts_per_second else by_median


def _latency(found: Measurement) -> Latency:
    if found.latency is None:
        raise BenchError(f"{found.model} answered nothing within {found.seconds:g} s under {found.load}: give more.")
    return found.latency
