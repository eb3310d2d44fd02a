"""The metrics of a server at one moment, read from its /metrics."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import Self
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from build_tools.errors import BuildError
from clients.address import Address, parse_address
from clients.proxy import described, proxy_for

_TIMEOUT_SECONDS = 5.0

Sample = tuple[dict[str, str], float]


@dataclass(frozen=True)
class MetricsPage:
    """samples: {name: its samples, each (labels, value)}. seconds: when it was read, on a clock of this process."""

    samples: dict[str, list[Sample]]
    seconds: float

    @classmethod
    def of(cls, text: str, seconds: float) -> Self:
        """Reads Prometheus's text format. Raises ValueError if it is something else."""
        samples: dict[str, list[Sample]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name].append((sample.labels, sample.value))
        return cls(dict(samples), seconds)

    def sums(self, name: str, *by: str) -> dict[tuple[str, ...], float]:
        """Returns {values of the labels `by`: the sum of the samples with them}. Samples without are left out."""
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for labels, value in self.samples.get(name, ()):
            if all(label in labels for label in by):
                sums[tuple(labels[label] for label in by)] += value
        return dict(sums)

    def total(self, names: Iterable[str]) -> float:
        """Returns the sum of all samples of these names."""
        return sum(value for name in names for _, value in self.samples.get(name, ()))


def read_metrics(metrics_url: str) -> MetricsPage:
    """Reads the metrics that are served at metrics_url (host:port). Raises BuildError if there are none."""
    address = replace(parse_address(f"http://{metrics_url}"), url=metrics_url)
    try:
        with _opener(address).open(f"http://{metrics_url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            return MetricsPage.of(answer.read().decode(), time.monotonic())
    except (OSError, ValueError, HTTPException) as error:
        raise BuildError(
            f"no metrics are served at {described(address)} ({error}): give the server's metrics port as "
            "--metrics-port."
        ) from error


def _opener(address: Address) -> OpenerDirector:
    proxy = proxy_for(address)
    return build_opener(ProxyHandler({} if proxy is None else {"http": proxy}))
