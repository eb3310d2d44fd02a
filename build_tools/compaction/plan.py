"""Which live versions become one graph with their trunk."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import task_entry
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES
from build_tools.repository.precision import Precision, common_parameters
from build_tools.repository.registry import Registry


@dataclass(frozen=True)
class CompactionPlan:
    """trunk: the Triton model. taps: its outputs. tasks: {task: its live version}, of those that go in."""

    trunk: str
    version: int
    taps: list[int]
    tasks: dict[str, int]

    def live_in(self, registry: Registry) -> list[str]:
        """Returns the tasks whose live version is still the one in the plan."""
        return [task for task, number in self.tasks.items() if _live(registry, task) == number]

    def still_holds(self, registry: Registry) -> bool:
        """Whether all of them are live, and the trunk is the same."""
        trunk = registry.trunks.get(self.trunk)
        return trunk is not None and trunk.version == self.version and len(self.live_in(registry)) == len(self.tasks)

    def dropped(self, registry: Registry) -> list[str]:
        """Returns the tasks that the trunk's present fused graph computes and the planned one does not."""
        fused = registry.trunks[self.trunk].fused
        live_in_it = {} if fused is None else {one: n for one, n in fused.tasks.items() if _live(registry, one) == n}
        return sorted(live_in_it.keys() - self.tasks.keys())

    def is_done(self, registry: Registry) -> bool:
        """Whether a fused graph of exactly these versions is live already."""
        fused = registry.trunks[self.trunk].fused
        return fused is not None and fused.tasks == self.tasks


def plan_compaction(
    registry: Registry, repository: Path, chosen: Collection[str] | None
) -> tuple[list[CompactionPlan], list[str]]:
    """Returns a plan for each trunk with tasks to take in, and a sentence for each task that has to stay outside.

    chosen: tasks; None takes all. A branch of another number format than its trunk may have to stay outside, because
    some formats are a property of the whole graph; and one that an earlier release published, without golden examples.
    Raises BuildError if there is no task of a chosen name, or if nothing can go in.
    """
    outside = {}
    plans: dict[str, dict[str, int]] = {}
    for task in sorted(set(registry.tasks if chosen is None else chosen)):
        entry = task_entry(registry, task)
        version = entry.live_version
        trunk = registry.trunks[version.trunk]
        inside = [registry.tasks[one].live_version.precision for one in plans.get(version.trunk, {})]
        if common_parameters(registry.runtime, [trunk.precision, *inside, version.precision]) is None:
            outside[task] = f"its {version.precision} cannot be in one graph with {_listed([trunk.precision, *inside])}"
        elif not (repository / version.model / str(entry.live) / GOLDEN_EXAMPLES).is_file():
            outside[task] = "it has no golden examples: run espalier upgrade --checkpoints"
        else:
            plans.setdefault(version.trunk, {})[task] = entry.live
    said = [f"{task} stays outside: {reason}" for task, reason in outside.items()]
    if not plans:
        raise BuildError(f"nothing can be compacted: {'; '.join(said)}.")
    return [
        CompactionPlan(name, registry.trunks[name].version, registry.trunks[name].taps, tasks)
        for name, tasks in plans.items()
    ], said


def share_outside(registry: Registry, plans: Collection[CompactionPlan] | None = None) -> float:
    """Returns the share (0..1) of the tasks whose live version no fused graph computes.

    plans: counts only their tasks, without those that cannot go in or were not chosen; None counts all.
    """
    tasks = registry.tasks.keys() if plans is None else [task for plan in plans for task in plan.tasks]
    outside = sum(registry.fused_with(task, registry.tasks[task].live) is None for task in tasks)
    return outside / len(tasks)


def _listed(precisions: list[Precision]) -> str:
    return " and ".join(sorted(set(precisions)))


def _live(registry: Registry, task: str) -> int | None:
    return registry.tasks[task].live if task in registry.tasks else None
