"""Refuses a compaction for which there is no memory or no disk, in one sentence, before anything is done."""

import shutil
from pathlib import Path

import psutil

from build_tools.errors import BuildError

_CGROUP = Path("/sys/fs/cgroup")  # of a container: memory.max is a number of bytes, or "max"
_GIGABYTE = 2**30
# A graph of 21 BERT-base tasks takes 1.7 GB on disk and 2.76 GB in memory after batches of 64 (docs/experiments.md).
_IN_MEMORY = 1.7
_PROCESS = 200 * 2**20  # a model process without weights


def check_room(repository: Path, weights: int, available: int | None = None) -> None:
    """weights: bytes of the graphs to be merged. available: bytes of memory; None asks the system.

    The graph is in memory once in this process, to be checked, and then once in the server, beside the graphs apart.
    Raises BuildError if that, or the disk, is not enough.
    """
    needed, free = int(weights * _IN_MEMORY) + _PROCESS, available_memory() if available is None else available
    if free < needed:
        raise BuildError(
            f"there is not enough memory for the fused graph beside the graphs apart: it needs {_shown(needed)}, and "
            f"{_shown(free)} are available. Choose fewer tasks with --tasks, or compact while no server runs."
        )
    disk = shutil.disk_usage(repository.parent).free
    if disk < weights:
        raise BuildError(
            f"the disk of {repository} is too full for the fused graph: it needs {_shown(weights)}, and {_shown(disk)} "
            "are free."
        )


def available_memory(cgroup: Path = _CGROUP) -> int:
    """Returns the bytes of memory that are left to this process: of the machine, and of its container."""
    available = int(psutil.virtual_memory().available)
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
        # What the container has read of files counts as used, and is given back when it is needed.
        cached = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return available if limit == "max" else min(available, int(limit) - int(used) + int(cached["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return available


def _shown(size: int) -> str:
    return f"{size / _GIGABYTE:.1f} GB" if size >= _GIGABYTE / 10 else f"{size / 2**20:.0f} MB"
