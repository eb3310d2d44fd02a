"""Which version of a task answers, and how to read its logits: one state of registry.json."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

NEWEST = -1  # the version of a trunk that is asked: Triton has one loaded
_HASHES = 2**32  # of zlib.crc32


@dataclass(frozen=True)
class Version:
    """One published version of a task's branch. model, trunk: the Triton models that hold it and its trunk."""

    task: str
    number: int
    kind: str
    labels: tuple[str, ...]
    tap: int
    max_length: int
    model: str
    trunk: str
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once: versions are looked up hundreds of times in each batch, and labels may be many.
        object.__setattr__(self, "_hash", hash((self.task, self.number, self.model, self.trunk)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_pair(self) -> bool:
        """True if the task reads two texts."""
        return self.kind.startswith("pair_")


@dataclass(frozen=True)
class Canary:
    """A candidate that answers for a share (0..1) of the texts, as long as it keeps within its bounds.

    max_error_rate: share of its answers (0..1) that may be errors. max_milliseconds: what a call may take on average.
    minimum: number of answers before which it is not judged. max_label_shift: how far (0..1) the distribution of its
    labels may be from the live version's, beyond chance.
    """

    version: Version
    share: float
    max_error_rate: float
    max_milliseconds: float
    minimum: int
    max_label_shift: float = 1.0

    def answers_for(self, text: str, pair: str | None) -> bool:
        """True if this text belongs to the share. It always does or never; each task has a share of its own."""
        key = "\0".join((self.version.task, text, (pair or "") if self.version.is_pair else ""))
        return zlib.crc32(key.encode()) < self.share * _HASHES


@dataclass(frozen=True)
class Task:
    """A task's live version, with a canary or a shadow beside it if there is one. A shadow never answers callers."""

    live: Version
    canary: Canary | None = None
    shadow: Version | None = None

    def version_for(self, text: str, pair: str | None) -> Version:
        """Returns the version that answers for this text."""
        return self.canary.version if self.canary and self.canary.answers_for(text, pair) else self.live

    @property
    def versions(self) -> list[Version]:
        """The versions that are computed: live, canary and shadow."""
        canary = self.canary.version if self.canary else None
        return [version for version in (self.live, canary, self.shadow) if version is not None]


@dataclass(frozen=True)
class Fused:
    """A graph that computes a trunk and some branches on it: the Triton model `model`, in its version `number`.

    tasks: {task: the version of its branch that is inside}. taps: where it gives hidden states out, ascending.
    """

    model: str
    number: int
    tasks: Mapping[str, int]
    taps: tuple[int, ...]

    def holds(self, version: Version) -> bool:
        """True if the graph computes this version."""
        return self.tasks.get(version.task) == version.number

    def reaches(self, version: Version) -> bool:
        """True if the graph computes this version, or the hidden states that it reads."""
        return self.holds(version) or version.tap in self.taps


@dataclass(frozen=True)
class Registry:
    """One state of registry.json.

    tokenizers: for each trunk, the Triton model that holds its tokenizer.json. fused: for each trunk that is fused with
    branches, that graph. retired: names of retired tasks. generation: the number of this state, if the file has one.
    """

    tasks: Mapping[str, Task]
    tokenizers: Mapping[str, str] = field(default_factory=lambda: {"trunk": "tokenizer"})
    retired: frozenset[str] = frozenset()
    generation: int | None = None
    fused: Mapping[str, Fused] = field(default_factory=dict)

    def version_for(self, task: str, text: str, pair: str | None) -> Version:
        """Returns the version of the task that answers for this text."""
        return self.tasks[task].version_for(text, pair)

    @property
    def versions(self) -> Iterator[Version]:
        """The versions of all tasks that are computed."""
        return (version for task in self.tasks.values() for version in task.versions)

    def runs_in(self, version: Version) -> tuple[str, int]:
        """Returns the Triton model and its version that compute a version of a task."""
        fused = self.fused.get(version.trunk)
        if fused is not None and fused.holds(version):
            return fused.model, fused.number
        return version.model, version.number

    def without_canaries(self, dropped: set[Version]) -> "Registry":
        """Returns this state without the canaries that are among `dropped`."""
        tasks = {
            name: replace(task, canary=None) if task.canary and task.canary.version in dropped else task
            for name, task in self.tasks.items()
        }
        return replace(self, tasks=tasks)
