"""The Triton models without which some task has no answer from the routers."""

from build_tools.repository.in_memory import hidden_source
from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import Registry


def needed_by_all(registry: Registry | None) -> set[str]:
    """Routers, and for each trunk that live versions read its fused graph, or else the trunk itself.

    A trunk beside its fused graph serves only tasks with taps that the graph lacks. registry: None if none could be
    read yet.
    """
    trunks = {task.live_version.trunk for task in registry.tasks.values()} if registry else set()
    fused = {name: registry.trunks[name].fused for name in trunks} if registry else {}
    return {*ROUTERS, *(name if graph is None else graph.model for name, graph in fused.items())}


def needed_models(registry: Registry | None) -> set[str]:
    """These, and what else computes the live versions."""
    tasks = registry.tasks if registry else {}
    return needed_by_all(registry).union(*(needed_for(registry, task) for task in tasks if registry))


def needed_for(registry: Registry, task: str) -> dict[str, int | None]:
    """Returns {model: its version} of what computes a task's live version beside the routers; None is any version."""
    entry = registry.tasks[task]
    live = entry.live_version
    fused = registry.fused_with(task, entry.live)
    if fused is not None:
        return {fused.model: fused.version}
    return {hidden_source(registry, live.trunk, live.tap): None, live.model: entry.live}
