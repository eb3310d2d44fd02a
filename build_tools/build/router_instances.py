"""How many instances the two routers have."""

from pathlib import Path

from build_tools.cores import usable_cores
from build_tools.errors import BuildError
from build_tools.repository.triton_config import read_config, write_config

_MOST = 8


def choose_instances(wanted: int | None) -> int:
    """One for every two cores that this process may use, at least 2 and at most 8, if nothing is wanted.

    Each instance is a process with one batch in flight. Two of them keep few cores busy: one batch is tokenized or
    answered while the other is computed. A batch that asks for one task alone keeps no more than one branch busy, so
    many cores want more batches. Raises BuildError for fewer than 1.
    """
    if wanted is None:
        return min(max(2, usable_cores() // 2), _MOST)
    if wanted < 1:
        raise BuildError(f"--router-instances {wanted} is too little: it must be at least 1.")
    return wanted


def set_instances(router: Path, instances: int) -> None:
    """Writes the number into the config of the router that stands in this folder."""
    config = read_config(router)
    config.instance_group[0].count = instances
    write_config(router, config)
