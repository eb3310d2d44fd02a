import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from paper_protocol import Piece
from paper_run import run_pieces

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(pieces, hours) runs shell scripts two at a time."""

    def run(pieces: Callable[[], Sequence[Piece]], hours: float = 1.0) -> None:
        run_pieces(pieces, hours, 2, tmp_path / "logs", program=("sh", "-c"), look_every=0.001)

    return run


def piece(folder: Path, name: str, script: str = "", after: str = "") -> Piece:
    """A piece whose script leaves a result that is done, unless it ends before."""
    result = folder / f"{name}.json"
    leave = f"echo '{{\"to_do\": 0}}' > {result}.new; mv {result}.new {result}"
    return Piece(name, [f"{script}\n{leave}"], result, 1.0, after)


def starts(told: str) -> list[str]:
    return [line.partition(":")[0] for line in told.splitlines() if ": see " in line]


def test_two_run_at_a_time_and_a_later_seed_waits_for_the_rates_of_the_first(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    until_c = f"until [ -e {tmp_path / 'c.json'} ]; do sleep 0.01; done"
    a = piece(tmp_path, "a", until_c)  # it ends only because c runs beside it
    pieces = [a, piece(tmp_path, "b", after="a"), piece(tmp_path, "c")]
    run(lambda: pieces)
    assert starts(capsys.readouterr().out) == ["a", "c", "b"]
    assert all(one.is_done for one in pieces)


def test_what_fails_is_told_with_its_log_and_neither_it_nor_what_needs_it_starts_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [piece(tmp_path, "a b", "echo why; exit 3"), piece(tmp_path, "c"), piece(tmp_path, "d", after="a b")]
    run(lambda: pieces)
    log = tmp_path / "logs" / "a-b.log"
    told = capsys.readouterr().out
    assert f"a b: FAILED with 3, see {log}, after" in told
    assert starts(told) == ["a b", "c"]
    assert log.read_text() == "why\n"
    assert [one.is_done for one in pieces] == [False, True, False]


def test_nothing_starts_after_the_hours(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: [piece(tmp_path, "a")], hours=0.0)
    assert capsys.readouterr().out == "0 hours are over: start it again for the rest.\n"


def test_what_runs_is_ended_with_the_program(run: Run, tmp_path: Path) -> None:
    number = tmp_path / "pid"
    asked = []

    def pieces() -> list[Piece]:
        asked.append(1)
        if len(asked) == 1:
            return [piece(tmp_path, "a", f"echo $$ > {number}.new; mv {number}.new {number}; exec sleep 100")]
        while not number.exists():
            time.sleep(0.001)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pieces)
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
