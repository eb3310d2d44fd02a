"""Timing by turns, for a machine that also does other work."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def median_ms(
    runs: Mapping[Name, Callable[[], object]], seconds: float = 0.3, least_rounds: int = 5
) -> dict[Name, float]:
    """Returns the median time of each run in ms. Runs take turns, so that a disturbance hits all of them."""
    for run in runs.values():
        run()
    taken: dict[Name, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < least_rounds or time.perf_counter() < end:
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(1000 * (time.perf_counter() - start))
        rounds += 1
    return {name: statistics.median(times) for name, times in taken.items()}
