import math

import pytest

from build_tools.publishing.histogram import percentile


@pytest.mark.parametrize(
    ("share", "value"),
    [
        (0.25, 0.05),  # half of the first bucket's 50
        (0.5, 0.1),
        (0.7, 0.15),  # half-way through the 40 between 0.1 and 0.2
        (0.9, 0.2),
        (0.99, 0.2),  # beyond the last finite bound
    ],
)
def test_a_percentile_lies_where_its_share_of_the_observations_ends(share: float, value: float) -> None:
    assert percentile({0.1: 50, 0.2: 90, math.inf: 100}, share) == pytest.approx(value)


def test_an_empty_bucket_does_not_hold_a_percentile() -> None:
    assert percentile({0.1: 0, 0.2: 0, 0.4: 10, math.inf: 10}, 0.5) == pytest.approx(0.3)


@pytest.mark.parametrize("buckets", [{}, {0.1: 0, math.inf: 0}])
def test_without_observations_there_is_no_percentile(buckets: dict[float, float]) -> None:
    assert percentile(buckets, 0.5) is None
