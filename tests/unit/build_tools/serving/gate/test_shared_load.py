import subprocess
import sys
from pathlib import Path

import pytest

from build_tools.serving.gate.shared_load import SharedLoad, Totals


def test_every_process_sees_what_is_inside_the_others(tmp_path: Path) -> None:
    first, second = SharedLoad(tmp_path / "load", 2), SharedLoad(tmp_path / "load", 2)
    first.enter(10.0)
    second.enter(5.0)
    first.change("web", 1)
    second.change("web", 2)
    second.publish(3.0, 4.0)

    first.answer(6.0)

    assert first.totals() == second.totals() == Totals(2, 15.0, 6.0, 3.0, 4.0)
    assert first.inside_of("web") == second.inside_of("web") == 3
    assert first.inside_of("other") == 0

    second.leave(5.0)
    second.change("web", -2)
    assert first.totals() == Totals(1, 10.0, 6.0, 3.0, 4.0)
    assert first.inside_of("web") == 1


def test_what_a_dead_process_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from build_tools.serving.gate.shared_load import SharedLoad; "
        "load = SharedLoad(Path(sys.argv[1]), 2); load.enter(7.0); load.change('web', 1); os._exit(9)"
    )
    living = SharedLoad(tmp_path / "load", 2)
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "load")], check=False)
    assert living.totals() == Totals(1, 7.0)

    SharedLoad(tmp_path / "load", 2)

    assert living.totals() == Totals()
    assert living.inside_of("web") == 0


def test_a_process_too_many_is_told(tmp_path: Path) -> None:
    first = SharedLoad(tmp_path / "load", 1)

    with pytest.raises(RuntimeError, match="more gate processes run than the settings say"):
        SharedLoad(tmp_path / "load", 1)
    first.close()
    SharedLoad(tmp_path / "load", 1)


def test_more_callers_than_places_are_let_in_uncounted(tmp_path: Path) -> None:
    load = SharedLoad(tmp_path / "load", 1)
    for number in range(5000):
        load.change(f"key {number}", 1)

    assert load.inside_of("key 0") == 1
    assert load.inside_of("key 4999") == 0


def test_costs_that_do_not_add_up_exactly_leave_nothing_behind(tmp_path: Path) -> None:
    load = SharedLoad(tmp_path / "load", 1)
    for cost in (0.1, 0.2, 0.3):
        load.enter(cost)
    for cost in (0.3, 0.1, 0.2):
        load.leave(cost)

    assert load.totals() == Totals()
