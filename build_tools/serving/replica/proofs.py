"""Which versions have to prove themselves before a generation is adopted, and with how many golden examples."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from build_tools.publishing.served_answers import ALL_ROWS
from build_tools.repository.in_memory import hidden_source
from build_tools.repository.registry import Registry

_FEW_ROWS = 4  # of what has proved itself here before: somebody may be waiting for a rollback


@dataclass(frozen=True)
class Proof:
    """A version of a task, and how many of its golden examples it is asked."""

    task: str
    number: int
    rows: int


def proofs(before: Registry, after: Registry, proved: Mapping[str, list[int]]) -> Iterator[Proof]:
    """Yields those that routers ask otherwise in `after`: another version, or the same one in another graph.

    proved: {model: versions} that Triton has loaded for `before`.
    """
    for task, entry in after.tasks.items():
        known = before.tasks.get(task)
        roles = [(entry.live, known and known.live)]
        if entry.candidate is not None:
            roles.append((entry.candidate, known and known.candidate))
        for number, earlier in roles:
            if number == earlier and _place(before, task, number) == _place(after, task, number):
                continue
            model, version = _place(after, task, number)[0]
            yield Proof(task, number, _FEW_ROWS if version in proved.get(model, []) else ALL_ROWS)


def _place(registry: Registry, task: str, number: int) -> tuple[tuple[str, int], ...]:
    """The graphs that compute a version, the one that gives its logits first: (model, version) each."""
    fused = registry.fused_with(task, number)
    if fused is not None:
        return ((fused.model, fused.version),)
    version = registry.tasks[task].versions[str(number)]
    trunk = registry.trunks[version.trunk]
    source = hidden_source(registry, version.trunk, version.tap)
    below = trunk.version if trunk.fused is None or source != trunk.fused.model else trunk.fused.version
    return (version.model, number), (source, below)
