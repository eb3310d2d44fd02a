"""registry.json as the router reads it: which version of a task answers, and how to read its logits."""

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

_HASHES = 2**32  # of zlib.crc32


@dataclass(frozen=True)
class Version:
    """One published version of a task's branch. model, trunk: the Triton models that hold it and its trunk."""

    task: str
    number: int
    kind: str
    labels: tuple[str, ...] = field(hash=False)  # may be many, and versions are looked up for each text and task
    tap: int
    max_length: int
    model: str
    trunk: str

    @property
    def is_pair(self) -> bool:
        """True if the task reads two texts."""
        return self.kind.startswith("pair_")


@dataclass(frozen=True)
class Canary:
    """A candidate that answers for a share (0..1) of the texts, as long as it keeps within its bounds.

    max_error_rate: share of its answers (0..1) that may be errors. max_milliseconds: what a call may take on average.
    minimum: number of answers before which it is not judged.
    """

    version: Version
    share: float
    max_error_rate: float
    max_milliseconds: float
    minimum: int

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


@dataclass(frozen=True)
class Registry:
    """One state of registry.json.

    tokenizers: for each trunk, the Triton model that holds its tokenizer.json. retired: names of retired tasks.
    """

    tasks: Mapping[str, Task]
    tokenizers: Mapping[str, str] = field(default_factory=lambda: {"trunk": "tokenizer"})
    retired: frozenset[str] = frozenset()

    def version_for(self, task: str, text: str, pair: str | None) -> Version:
        """Returns the version of the task that answers for this text."""
        return self.tasks[task].version_for(text, pair)


class RegistryFile:
    """Reads registry.json again whenever it has changed, at the cost of one stat call per batch."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._state()  # before reading, so that the next call sees a replacement in between
        self._dropped: set[Version] = set()
        self._registry = self._parsed()

    def read(self) -> Registry:
        """Returns the present registry, or the last one that could be read."""
        try:
            seen = self._state()
            if seen != self._seen:
                self._seen = seen  # even if parsing fails, so that the warning comes once
                self._registry = self._parsed()
        except (OSError, ValueError, KeyError, TypeError) as error:
            logging.getLogger(__name__).warning(
                "%s cannot be read, so its last state stays in use: %r", self._file, error
            )
        return self._registry

    def drop_canary(self, version: Version) -> bool:
        """Ignores this canary from now on, whatever the file says. Returns False if it is ignored already."""
        if version in self._dropped:
            return False
        self._dropped.add(version)
        self._registry = _without(self._registry, self._dropped)
        return True

    def _parsed(self) -> Registry:
        return _without(parse(json.loads(self._file.read_text(encoding="utf-8"))), self._dropped)

    def _state(self) -> tuple[int, int]:
        stat = self._file.stat()
        return stat.st_mtime_ns, stat.st_ino  # a replaced file has a new inode even within one tick of the clock


def parse(content: Any) -> Registry:
    """Returns the Registry of registry.json's content. Raises ValueError, KeyError or TypeError if it is invalid."""
    tokenizers = {name: next(iter(trunk["tokenizers"])) for name, trunk in content["trunks"].items()}
    tasks = {task: _task(task, entry) for task, entry in content["tasks"].items()}
    for task in tasks.values():
        for version in (task.live, task.canary.version if task.canary else None, task.shadow):
            if version is not None and version.trunk not in tokenizers:
                raise ValueError(
                    f"{version.task} reads the trunk {version.trunk}, which is not among {sorted(tokenizers)}"
                )
    return Registry(tasks, tokenizers, frozenset(content["retired"]) - tasks.keys())


def _without(registry: Registry, canaries: set[Version]) -> Registry:
    tasks = {
        name: replace(task, canary=None) if task.canary and task.canary.version in canaries else task
        for name, task in registry.tasks.items()
    }
    return replace(registry, tasks=tasks)


def _task(name: str, entry: Any) -> Task:
    def version(number: int) -> Version:
        described = entry["versions"][str(number)]
        return Version(
            task=name,
            number=number,
            kind=described["kind"],
            labels=tuple(described["labels"]),
            tap=described["tap"],
            max_length=described["max_length"],
            model=described["model"],
            trunk=described["trunk"],
        )

    canary = entry["canary"]
    return Task(
        live=version(entry["live"]),
        canary=canary
        and Canary(
            version(canary["version"]),
            canary["share"],
            canary["max_error_rate"],
            canary["max_milliseconds"],
            canary["minimum"],
        ),
        shadow=None if entry["shadow"] is None else version(entry["shadow"]),
    )
