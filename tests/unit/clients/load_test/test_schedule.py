from pathlib import Path

import numpy as np
import pytest

from clients.errors import RequestRejected
from clients.load_test.load import Distribution, Rate
from clients.load_test.schedule import write_schedules


def _seconds(rate: Rate, stretches: tuple[float, ...], file: Path) -> np.ndarray:
    """[N] when each text is sent."""
    write_schedules(rate, stretches, [file])
    return np.cumsum([int(line) for line in file.read_text(encoding="utf-8").splitlines()]) / 1e6


@pytest.mark.parametrize("distribution", list(Distribution))
def test_warm_up_and_measurement_both_get_exactly_the_texts_of_their_rate(
    tmp_path: Path, distribution: Distribution
) -> None:
    times = _seconds(Rate(4.0, distribution), (2.0, 6.0), tmp_path / "schedule")
    assert len(times[times < 2]) == 8
    assert len(times[(times >= 2) & (times < 8)]) == 24
    assert len(times) == 32


def test_distances_are_even_or_as_random_as_independent_callers_make_them(tmp_path: Path) -> None:
    even = np.diff(_seconds(Rate(300.0, Distribution.CONSTANT), (0.0, 10.0), tmp_path / "schedule"))
    assert np.ptp(even) <= 2e-6  # whole microseconds
    random = np.diff(_seconds(Rate(300.0), (0.0, 10.0), tmp_path / "schedule"))
    assert 0.9 < random.std() / random.mean() < 1.1  # 1 for exponential distances


def test_several_servers_get_the_texts_of_one_schedule_by_turns(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    write_schedules(Rate(4.0), (2.0, 6.0), files)
    each = [np.cumsum([int(line) for line in file.read_text().splitlines()]) / 1e6 for file in files]
    assert np.sort(np.concatenate(each)) == pytest.approx(_seconds(Rate(4.0), (2.0, 6.0), tmp_path / "all"))
    with pytest.raises(RequestRejected, match="one text for each server"):
        write_schedules(Rate(2.0), (0.0, 1.0), files)


def test_a_rate_that_sends_nothing_in_its_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestRejected, match="less than one text"):
        write_schedules(Rate(0.1), (1.0, 2.0), [tmp_path / "schedule"])
