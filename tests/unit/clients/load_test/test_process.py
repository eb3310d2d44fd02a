import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients.load_test import process
from clients.load_test.process import Ended, Run, run_bounded

_BEGIN = "echo '  Using synchronous calls for inference'"
_LOOP = "while :; do sleep 0.01; done"


def _run(program: Path, seconds: float) -> Ended:
    (ended,) = run_bounded([Run([str(program)], os.environ, program.parent / "log")], seconds)
    return ended


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_load_is_ended_by_sigint_after_its_seconds_counted_from_its_beginning(
    program: Callable[[str], Path],
) -> None:
    begun = time.time()
    ended = _run(program(f"trap 'echo interrupted; exit 0' INT\nsleep 0.2\n{_BEGIN}\n{_LOOP}"), 0.2)
    assert time.time() - begun >= 0.4
    assert ended.began is not None
    assert ended.began - begun >= 0.2
    assert ended.log.endswith("interrupted\n")
    assert not ended.unanswered


def test_a_program_that_ends_before_the_load_is_not_waited_for(program: Callable[[str], Path]) -> None:
    ended = _run(program("echo 'error: no such model' >&2; exit 99"), 30.0)
    assert ended == Ended(None, "error: no such model\n", False)


def test_each_sender_that_stopped_is_one_failure(program: Callable[[str], Path]) -> None:
    lines = "Thread [0] had error: queue full\n\nThread [11] had error: queue full\nThread [11] had error: other\n"
    ended = _run(program(f"{_BEGIN}\nprintf '{lines}'"), 30.0)
    assert ended.failures == ["queue full", "other"]


def test_a_program_that_waits_for_answers_for_ever_is_killed(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SLACK_SECONDS", 0.0)
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.1)
    ended = _run(program(f"trap '' INT\necho $$\n{_BEGIN}\n{_LOOP}"), 0.05)
    assert ended.unanswered
    assert not _is_running(int(ended.log.split()[0]))


def test_an_interruption_while_the_program_is_started_kills_it(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _run(program(f"trap '' INT\n{_LOOP}"), 30.0)
    assert started
    assert not _is_running(started[0])
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interruption_kills_the_whole_process_group(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(running: subprocess.Popen[bytes], log: Path) -> None:
        while len(log.read_text(encoding="utf-8").split()) < 2:
            assert running.poll() is None
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_wait_for_load", interrupt)
    script = program(f"trap '' INT\nsleep 60 &\necho $$ $!\n{_LOOP}")
    with pytest.raises(KeyboardInterrupt):
        _run(script, 30.0)
    leader, child = map(int, (tmp_path / "log").read_text(encoding="utf-8").split())
    assert not _is_running(leader)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < deadline, "the child of the killed program still runs"
        time.sleep(0.01)
