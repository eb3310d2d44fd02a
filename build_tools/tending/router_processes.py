"""How many router processes a server has: each may be asked the same text."""

from pathlib import Path

from build_tools.repository.names import ROUTERS
from build_tools.repository.triton_config import read_config


def routers_per_server(repository: Path) -> int:
    """Returns the number of instances of all router models, as their configs say."""
    groups = (group for model in ROUTERS for group in read_config(repository / model).instance_group)
    return sum(group.count for group in groups) or len(ROUTERS)
