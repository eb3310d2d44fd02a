"""Run perf_analyzer for a set time, once or for several servers at once, and leave nothing of it behind."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SLACK_SECONDS = 1.0  # how much longer than the load perf_analyzer's window is: time for the signal to arrive in
DRAIN_SECONDS = 30.0  # for answers to what was sent before the end
_START_SECONDS = 120.0  # to connect and to read the texts
_POLL_SECONDS = 0.01

_LOAD_BEGINS = re.compile(r"^  Using a?synchronous calls for inference", re.MULTILINE)  # the last it says before
_SENDER_STOPPED = re.compile(r"^Thread \[(\d+)\] had error: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A perf_analyzer to start. log: where its output goes."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a run of perf_analyzer went.

    began: when the load began, in seconds of the system clock; None if it never did.
    log: perf_analyzer's output.
    unanswered: whether some requests had no answer DRAIN_SECONDS after the load, so that it was killed.
    """

    began: float | None
    log: str
    unanswered: bool

    @property
    def failures(self) -> list[str]:
        """The server's sentence for each sender that stopped: perf_analyzer stops one at its first failed request."""
        return list(dict(_SENDER_STOPPED.findall(self.log)).values())


def run_bounded(runs: Sequence[Run], load_seconds: float) -> list[Ended]:
    """Run perf_analyzers at once, stop their loads `load_seconds` after the last began, and wait for the last answers.

    They are stopped by SIGINT because only then they export their records whatever happened: left to itself one throws
    the record away when a request fails or its windows differ. Killed when this function is left in any other way.
    """
    began: list[float | None] = []
    unanswered = [False] * len(runs)
    with ExitStack() as started:
        outputs = [started.enter_context(run.log.open("wb")) for run in runs]
        processes = [
            started.enter_context(_started(run.command, run.environment, output))
            for run, output in zip(runs, outputs, strict=True)
        ]
        for process, run in zip(processes, runs, strict=True):
            began.append(_wait_for_load(process, run.log))
            if began[-1] is None:
                break
        else:
            end = max(filter(None, began)) + load_seconds
            for process in processes:
                try:
                    process.wait(end - time.time())
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGINT)
            drained = time.monotonic() + SLACK_SECONDS + DRAIN_SECONDS
            for number, process in enumerate(processes):
                try:
                    process.wait(drained - time.monotonic())
                except subprocess.TimeoutExpired:
                    unanswered[number] = True
    began += [None] * (len(runs) - len(began))
    return [Ended(at, _text(run.log), late) for at, run, late in zip(began, runs, unanswered, strict=True)]


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], output: BinaryIO
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, in a session of its own: a Ctrl-C on the terminal must not look like the end of its load.

    It and its children are killed at the end if they still run, also if a Ctrl-C comes just while it is started.
    """
    interruptions: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: interruptions.append(number))
    process: subprocess.Popen[bytes] | None = None
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, handler)
        if interruptions:
            raise KeyboardInterrupt
        yield process
    finally:
        signal.signal(signal.SIGINT, handler)
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for_load(process: subprocess.Popen[bytes], log: Path) -> float | None:
    """When the load began, or None if the program ended, or stood still, before that."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None  # asked first: its last lines are then in the log
        if _LOAD_BEGINS.search(_text(log)):
            return time.time()
        if has_ended:
            return None
        time.sleep(_POLL_SECONDS)
    return None


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
