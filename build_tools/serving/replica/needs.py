"""What a replica must have of the shared folder to serve a registry."""

from dataclasses import dataclass
from typing import Self

from build_tools.repository.in_memory import held_versions
from build_tools.repository.names import ROUTERS, TOKENIZER
from build_tools.repository.registry import Registry


@dataclass(frozen=True)
class Needs:
    """hand_written: models whose folders hold code or a tokenizer. versions: (model, version) of trunks, fused graphs
    and branches: those that Triton loads, and those that routers and gate read the records of.
    """

    hand_written: frozenset[str]
    versions: frozenset[tuple[str, int]]

    @classmethod
    def of(cls, registry: Registry) -> Self:
        """Without versions that are kept on disk only, for a rollback that may come."""
        trunks = registry.trunks.values()
        versions = {(name, trunk.version) for name, trunk in registry.trunks.items()}
        versions |= {(trunk.fused.model, trunk.fused.version) for trunk in trunks if trunk.fused is not None}
        for task, entry in registry.tasks.items():
            for number in {*entry.wanted, *held_versions(registry, task)}:
                versions.add((entry.versions[str(number)].model, number))
        tokenizers = {name for trunk in trunks for name in trunk.tokenizers}
        return cls(frozenset({*ROUTERS, TOKENIZER, *tokenizers}), frozenset(versions))

    @property
    def models(self) -> set[str]:
        """The names of their folders."""
        return {*self.hand_written, *(model for model, _ in self.versions)}
