"""One cheap look at a process: /proc/PID/stat, see proc(5)."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_STATE, _USER, _SYSTEM, _START = 0, 11, 12, 19  # places behind the name; which itself may hold anything


@dataclass(frozen=True)
class ProcessStat:
    """started: when, in ticks since the machine's start: no other process of this id has the same.

    ended: only its parent has not noted it yet. stopped: it has been sent SIGSTOP. cpu_seconds: what it has computed.
    """

    started: int
    ended: bool
    stopped: bool
    cpu_seconds: float


def process_stat(pid: int) -> ProcessStat | None:
    """Returns None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    cpu = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS
    return ProcessStat(int(fields[_START]), fields[_STATE] in "ZX", fields[_STATE] == "T", cpu)


def is_stopped(pid: int) -> bool:
    """Whether it has been sent SIGSTOP; False if there is no such process."""
    stat = process_stat(pid)
    return stat is not None and stat.stopped
