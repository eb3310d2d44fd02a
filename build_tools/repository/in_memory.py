"""Which trunks, fused graphs and branches Triton has to hold, as registry.json says. The others cost only disk."""

from datetime import UTC, datetime

from build_tools.repository.registry import DRAIN_SECONDS, Registry


def held_models(registry: Registry) -> dict[str, list[int]]:
    """Returns {model: the versions that Triton has to hold now}, for trunks, fused graphs and branches."""
    held: dict[str, list[int]] = {}
    for name, trunk in registry.trunks.items():
        if needs_trunk(registry, name):
            held[name] = [trunk.version]
        if trunk.fused is not None:
            held[trunk.fused.model] = [trunk.fused.version]
    for task, entry in registry.tasks.items():
        for number in held_versions(registry, task):
            held.setdefault(entry.versions[str(number)].model, []).append(number)
    return {model: sorted(versions) for model, versions in held.items()}


def idle_models(registry: Registry) -> set[str]:
    """Returns the trunks and branch models that are on disk only: a fused graph computes what they hold."""
    branches = {version.model for entry in registry.tasks.values() for version in entry.versions.values()}
    return (branches | registry.trunks.keys()) - held_models(registry).keys()


def draining(registry: Registry) -> set[str]:
    """Returns the fused models that batches in flight may still ask for, though the registry has other ones now."""
    return {
        model
        for trunk in registry.trunks.values()
        for model, since in trunk.fused_leaving.items()
        if _is_within(DRAIN_SECONDS, since)
    }


def batches_in_flight(registry: Registry) -> bool:
    """Whether batches in flight may still ask for models that need not be held: none of those is unloaded yet."""
    retired = any(entry.is_leaving for entry in registry.retired.values())
    fused = (trunk.fused for trunk in registry.trunks.values() if trunk.fused is not None)
    return retired or any(_is_within(DRAIN_SECONDS, one.since) for one in fused)


def held_versions(registry: Registry, task: str) -> list[int]:
    """Returns the versions of a task that Triton has to hold as branch models.

    These are the live one, the previous one and the candidate, and those that batches in flight may ask for; without
    what a fused graph computes. If that computes the live one, the previous one is held only as long as the compaction
    asked for.
    """
    entry = registry.tasks[task]
    held = set(entry.held)
    fused = registry.fused_with(task, entry.live)
    if fused is not None and entry.previous is not None and not _is_within(fused.keep_loaded_seconds, fused.since):
        held -= {entry.previous} - {entry.candidate, *entry.leaving_now}
    return sorted(number for number in held if registry.fused_with(task, number) is None)


def needs_trunk(registry: Registry, name: str) -> bool:
    """Whether a version that is held reads a tap of the trunk that no fused graph gives out."""
    fused = registry.trunks[name].fused
    if fused is None:
        return True
    read = {
        version.tap
        for task, entry in registry.tasks.items()
        for number in held_versions(registry, task)
        if (version := entry.versions[str(number)]).trunk == name
    }
    return not read <= set(fused.taps)


def hidden_source(registry: Registry, trunk: str, tap: int) -> str:
    """Returns the model that gives out the hidden states of a trunk at a tap: its fused graph, or the trunk itself."""
    fused = registry.trunks[trunk].fused
    return fused.model if fused is not None and tap in fused.taps else trunk


def _is_within(seconds: float, since: datetime) -> bool:
    return (datetime.now(UTC) - since).total_seconds() < seconds  # --keep-loaded may be more than a date can go back
