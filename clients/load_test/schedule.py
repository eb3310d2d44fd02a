"""When an open loop sends its texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clients.errors import RequestRejected
from clients.load_test.load import Distribution, Rate

_SEED = 0  # the same instants for everything that is compared
_US_PER_S = 1_000_000


def write_schedules(rate: Rate, stretches: tuple[float, ...], files: Sequence[Path]) -> None:
    """Writes files for perf_analyzer's --request-intervals: microseconds from one text to the next, one a line.

    stretches: seconds of each stretch (warm-up, measurement).
    files: one for each of several perf_analyzers, which send the texts by turns.

    Each stretch gets exactly as many texts as the rate says, at random times: a Poisson process given its number of
    events. perf_analyzer's own Poisson schedule is always the same odd sample: at 4 texts/s it sends 12 from second 2
    to second 8. Raises RequestRejected if all stretches together have less than one text for each file.
    """
    random = np.random.default_rng(_SEED)
    times = []
    begin = 0.0
    for seconds in stretches:
        count = round(rate.per_second * seconds)
        places = random.random(count) if rate.distribution is Distribution.POISSON else (np.arange(count) + 0.5) / count
        times.append(begin + np.sort(places) * seconds)
        begin += seconds
    if sum(map(len, times)) < len(files):
        each = "one text" if len(files) == 1 else "one text for each server"
        raise RequestRejected(f"{rate} for {sum(stretches):g} s is less than {each}: measure for longer")
    instants = np.round(np.concatenate(times) * _US_PER_S).astype(int)  # [N]
    for number, file in enumerate(files):
        intervals = np.diff(instants[number :: len(files)], prepend=0)
        file.write_text("".join(f"{interval}\n" for interval in intervals), encoding="utf-8")
