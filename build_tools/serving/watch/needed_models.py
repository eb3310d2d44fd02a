"""The Triton models without which some task has no answer from the routers."""

from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import Registry


def needed_by_all(registry: Registry | None) -> set[str]:
    """Routers, and the trunks that live versions read. registry: None if none could be read yet."""
    trunks = {task.live_version.trunk for task in registry.tasks.values()} if registry else set()
    return {*ROUTERS, *trunks}


def needed_models(registry: Registry | None) -> set[str]:
    """These, and the models of the live versions."""
    branches = {task.live_version.model for task in registry.tasks.values()} if registry else set()
    return needed_by_all(registry) | branches
