"""Where a server stands: which generation it has adopted, and what it makes of newer ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.repository.registry import REGISTRY, Registry
from build_tools.repository.replica_state import Proposed
from build_tools.serving.replica.generation import GenerationFile


@dataclass(frozen=True)
class Standing:
    """The fields of ReplicaState of the same names, and the registry in force."""

    generation: int = 0
    sha256: str = ""
    settled: int = 0
    behind: str = ""
    proposal: Proposed | None = None
    registry: Registry | None = None


def single_server_standing(repository: Path) -> Callable[[], Standing]:
    """Returns a function that tells the standing of a single server, where registry.json is in force once written."""
    file = GenerationFile(repository / REGISTRY)

    def look() -> Standing:
        try:
            found = file.read()
        except BuildError:
            return Standing()
        if found is None:
            return Standing()
        return Standing(found.number, found.sha256, found.number, registry=found.registry)

    return look
