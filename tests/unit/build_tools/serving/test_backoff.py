import pytest

from build_tools.serving.backoff import backoff


@pytest.mark.parametrize(("failed", "seconds"), [(0, 0.5), (1, 1.0), (3, 4.0), (6, 30.0), (7, 30.0)])
def test_a_pause_doubles_up_to_the_longest(failed, seconds):
    assert backoff(0.5, failed, 30.0) == seconds


def test_what_fails_for_days_is_tried_again_all_the_same():
    """2**1024 is more than a float holds: with pauses of 30 s that is reached after nine hours."""
    assert backoff(0.5, 10_000, 30.0) == 30.0
