"""How many processor cores this process may use."""

import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "<microseconds> <period>" or "max <period>"


def usable_cores(quota: Path = _CGROUP_QUOTA) -> int:
    """Returns the number of cores that this process may run on, at most its container's quota of processor time."""
    cores = len(os.sched_getaffinity(0))
    try:
        allowed, period = quota.read_text().split()
    except OSError:
        return cores
    return cores if allowed == "max" else max(1, min(cores, round(int(allowed) / int(period))))
