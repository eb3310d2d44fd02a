from pathlib import Path

import pytest

from training.data import Example, load_task
from training.data.halves import cut_in_half
from training.errors import TrainingError

ROWS = [Example(f"text {row}", "a") for row in range(7)]


def test_each_row_is_in_one_half_and_the_seed_decides_in_which() -> None:
    choosing, held = cut_in_half(ROWS, seed=0)
    assert (len(choosing), len(held)) == (4, 3)
    assert sorted([*choosing, *held], key=ROWS.index) == ROWS
    assert (choosing, held) == cut_in_half(ROWS, seed=0)
    assert any(cut_in_half(ROWS, seed)[0] != choosing for seed in (1, 2, 3))


def test_one_row_cannot_be_cut() -> None:
    with pytest.raises(TrainingError, match="leave out --halve-dev"):
        cut_in_half(ROWS[:1], seed=0)


def test_a_task_holds_back_half_of_its_sampled_dev(task_folders: dict[str, Path]) -> None:
    folder = str(next(iter(task_folders.values())))
    whole, cut = load_task(folder, dev_rows=8), load_task(folder, dev_rows=8, halve_dev=3)
    assert (whole.held, len(cut.dev), len(cut.held)) == ([], 4, 4)
    assert sorted(one.text for one in [*cut.dev, *cut.held]) == sorted(one.text for one in whole.dev)
