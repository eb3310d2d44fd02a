"""registry.json as the router reads it: which versions of each task answer, and how to read their logits."""

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
    """One version of a task. model, trunk: the Triton models that hold it, and whose hidden states it reads."""

    task: str
    number: int
    kind: str
    labels: tuple[str, ...] = field(hash=False)  # many, and versions are looked up for each text and task
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
    """A candidate, which answers for a share (0..1) of the texts, unless it leaves these bounds.

    max_error_rate: of its answers, 0..1. max_milliseconds: of its calls on average. minimum: of answers, before which
    neither is judged.
    """

    version: Version
    share: float
    max_error_rate: float
    max_milliseconds: float
    minimum: int

    def answers_for(self, text: str, pair: str | None) -> bool:
        """Whether this text is of the share: always the same for what the task reads, and others for another task."""
        key = "\0".join((self.version.task, text, (pair or "") if self.version.is_pair else ""))
        return zlib.crc32(key.encode()) < self.share * _HASHES


@dataclass(frozen=True)
class Task:
    """The live version, and what is a candidate beside it: a canary, or a shadow that computes and does not answer."""

    live: Version
    canary: Canary | None = None
    shadow: Version | None = None

    def version_for(self, text: str, pair: str | None) -> Version:
        """The version that answers."""
        return self.canary.version if self.canary and self.canary.answers_for(text, pair) else self.live


@dataclass(frozen=True)
class Registry:
    """One state of registry.json.

    tokenizers: of each trunk the Triton model that holds its tokenizer.json. retired: names of tasks that are no more.
    """

    tasks: Mapping[str, Task]
    tokenizers: Mapping[str, str] = field(default_factory=lambda: {"trunk": "tokenizer"})
    retired: frozenset[str] = frozenset()

    def version_for(self, task: str, text: str, pair: str | None) -> Version:
        """The version of the task that answers for this text."""
        return self.tasks[task].version_for(text, pair)


class RegistryFile:
    """registry.json, read again whenever it was replaced: one stat call per batch of requests."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._state()  # before the reading: a replace in between is then seen by the next call
        self._dropped: set[Version] = set()
        self._registry = self._parsed()

    def read(self) -> Registry:
        """The present registry; if the file cannot be read now, the last one that could."""
        try:
            seen = self._state()
            if seen != self._seen:
                self._seen = seen  # also if what follows fails: said once, not for every request
                self._registry = self._parsed()
        except (OSError, ValueError, KeyError, TypeError) as error:
            logging.getLogger(__name__).warning("%s cannot be read, the last state stays: %r", self._file, error)
        return self._registry

    def drop_canary(self, version: Version) -> bool:
        """From now on its task has no canary for this process, whatever the file says. False if that was so before."""
        if version in self._dropped:
            return False
        self._dropped.add(version)
        self._registry = _without(self._registry, self._dropped)
        return True

    def _parsed(self) -> Registry:
        return _without(parse(json.loads(self._file.read_text(encoding="utf-8"))), self._dropped)

    def _state(self) -> tuple[int, int]:
        stat = self._file.stat()
        return stat.st_mtime_ns, stat.st_ino  # a replace brings a new inode even within one tick of the clock


def parse(content: Any) -> Registry:
    """registry.json's content -> Registry."""
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
