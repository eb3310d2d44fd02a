"""What a compaction does to registry.json."""

from datetime import UTC, datetime

from build_tools.repository.in_memory import draining
from build_tools.repository.registry import FusedEntry, Registry


def compacted(
    registry: Registry, trunk: str, model: str, taps: list[int], tasks: dict[str, int], keep_loaded: int, served: bool
) -> Registry:
    """Returns the registry in which a new fused graph stands in for a trunk and branches. The given one stays.

    served: whether a server runs, so that batches in flight may still ask for an earlier one.
    """
    entry, now = registry.trunks[trunk], datetime.now(UTC).replace(microsecond=0)
    made = entry.fused_made + 1
    fused = FusedEntry(model=model, version=made, taps=taps, tasks=tasks, since=now, keep_loaded_seconds=keep_loaded)
    in_flight = draining(registry)  # the compaction before this one may have been stopped while it waited for them
    leaving = {earlier: since for earlier, since in entry.fused_leaving.items() if earlier in in_flight}
    if entry.fused is not None and served:
        leaving[entry.fused.model] = now
    changes = {"fused": fused, "fused_leaving": leaving, "fused_made": made}
    changed = registry.model_copy(update={"trunks": registry.trunks | {trunk: entry.model_copy(update=changes)}})
    return Registry.model_validate(changed.model_dump())  # model_copy does not validate
