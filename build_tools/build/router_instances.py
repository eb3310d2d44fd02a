"""The number of instances of the two routers."""

from pathlib import Path

from build_tools.cores import usable_cores
from build_tools.errors import BuildError
from build_tools.repository.triton_config import read_config, write_config

_MOST = 8


def choose_instances(wanted: int | None) -> int:
    """Returns `wanted`, or by default one instance per two cores that this process may use, 2 to 8.

    Each instance is a process with one batch in flight. Two keep few cores busy: one batch is tokenized or answered
    while the other is computed. A batch that asks for one task keeps one branch busy, so many cores need more batches.
    Raises BuildError if `wanted` is less than 1.
    """
    if wanted is None:
        return min(max(2, usable_cores() // 2), _MOST)
    if wanted < 1:
        raise BuildError(f"--router-instances {wanted} is too small: give at least 1.")
    return wanted


def set_instances(router: Path, instances: int) -> None:
    """Writes the number of instances into the config.pbtxt of a router's folder."""
    config = read_config(router)
    config.instance_group[0].count = instances
    write_config(router, config)
