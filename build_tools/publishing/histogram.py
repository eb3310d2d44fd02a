"""Percentiles of a Prometheus histogram, as PromQL's histogram_quantile estimates them."""

import math
from collections.abc import Mapping


def percentile(buckets: Mapping[float, float], share: float) -> float | None:
    """Returns the value below which this share (0..1) of the observations lies; None if there are none.

    buckets: {upper bound: the number of observations up to it}, with infinity among the bounds. Within a bucket the
    observations are taken to be spread evenly; what is beyond the last finite bound counts as that bound.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    wanted = share * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        upto = buckets[bound]
        if upto >= wanted and upto > below:
            return lower if math.isinf(bound) else lower + (bound - lower) * (wanted - below) / (upto - below)
        if not math.isinf(bound):
            lower, below = bound, upto
    return lower
