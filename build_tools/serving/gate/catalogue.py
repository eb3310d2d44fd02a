"""Which models there are and what each takes: from registry.json, read again when it changes."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import REGISTRY, Registry, VersionEntry, read_registry
from build_tools.serving.gate.watched_file import WatchedFile
from training.kinds import Kind

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_ROUTER_INPUTS = {"text": "BYTES", "pair": "BYTES", "tasks": "BYTES", "all_scores": "BOOL"}


@dataclass(frozen=True)
class ModelSpec:
    """A model that clients may ask.

    inputs: {name: KServe datatype}. required: those that must be there. row: the shape of one text's value, after the
    dimension that counts texts. decoupled: it may answer any number of times. task: of an ensemble; None for routers.
    """

    inputs: Mapping[str, str]
    required: tuple[str, ...]
    outputs: frozenset[str]
    row: tuple[int, ...] = ()
    decoupled: bool = False
    task: str | None = None


@dataclass(frozen=True)
class Models:
    """One state. open: what clients may ask. inner: the names of trunks, fused graphs, branches and tokenizers."""

    open: Mapping[str, ModelSpec]
    inner: frozenset[str] = frozenset()
    tasks: frozenset[str] = field(default_factory=frozenset)


def _router(decoupled: bool) -> ModelSpec:
    return ModelSpec(_ROUTER_INPUTS, ("text",), frozenset({"result"}), (1,), decoupled)


_STREAM = ROUTERS[1]
_ROUTERS = {name: _router(decoupled=name == _STREAM) for name in ROUTERS}


class Catalogue:
    """The models of a repository. A registry that cannot be read leaves the last good one in force."""

    def __init__(self, repository: Path) -> None:
        self._file = WatchedFile(
            repository / REGISTRY,
            lambda file: models_of(read_registry(file.parent)),
            Models(_ROUTERS),
            lambda error: logging.getLogger(__name__).warning("the last good registry stays in use: %s", error),
        )

    @property
    def models(self) -> Models:
        """The present state."""
        return self._file.value

    def look(self) -> None:
        """Reads the registry again if it has changed."""
        self._file.look()


def models_of(registry: Registry) -> Models:
    """Returns the models that this registry names."""
    ensembles = {task: _ensemble(task, entry.live_version) for task, entry in registry.tasks.items()}
    branches = {version.model for entry in registry.tasks.values() for version in entry.versions.values()}
    tokenizers = {name for trunk in registry.trunks.values() for name in trunk.tokenizers}
    fused = {trunk.fused.model for trunk in registry.trunks.values() if trunk.fused is not None}
    inner = frozenset({*registry.trunks, *fused, *tokenizers, *branches})
    return Models({**ensembles, **_ROUTERS}, inner, frozenset(registry.tasks))


def is_plain(name: str) -> bool:
    """Whether a model may have this name at all."""
    return _PLAIN.fullmatch(name) is not None


def _ensemble(task: str, version: VersionEntry) -> ModelSpec:
    texts = ("text", "pair") if version.kind.is_pair else ("text",)
    outputs = {"logits", "truncated"} | ({"offsets"} if version.kind is Kind.TAGGING else set())
    return ModelSpec(dict.fromkeys(texts, "BYTES"), texts, frozenset(outputs), task=task)
