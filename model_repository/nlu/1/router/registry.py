"""registry.json as the router reads it: which version of each task answers, and how to read its logits."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Branch:
    """The live version of a task."""

    task: str
    version: int
    kind: str
    labels: tuple[str, ...]
    tap: int
    max_length: int

    @property
    def model(self) -> str:
        """The Triton model that holds the branch."""
        return f"branch_{self.task}"

    @property
    def is_pair(self) -> bool:
        """True if the task reads two texts."""
        return self.kind.startswith("pair_")


@dataclass(frozen=True)
class Registry:
    """One state of registry.json."""

    tasks: dict[str, Branch]

    @property
    def max_length(self) -> int:
        """The most tokens that a task reads, so no more than the encoder has positions for."""
        return max(branch.max_length for branch in self.tasks.values())


class RegistryFile:
    """registry.json, read again whenever it was replaced: one stat call per batch of requests."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._state()  # before the reading: a replace in between is then seen by the next call
        self._registry = parse(json.loads(file.read_text(encoding="utf-8")))

    def read(self) -> Registry:
        """The present registry; if the file cannot be read now, the last one that could."""
        try:
            seen = self._state()
            if seen != self._seen:
                self._seen = seen  # also if what follows fails: said once, not for every request
                self._registry = parse(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            logging.getLogger(__name__).warning("%s cannot be read, the last state stays: %r", self._file, error)
        return self._registry

    def _state(self) -> tuple[int, int]:
        stat = self._file.stat()
        return stat.st_mtime_ns, stat.st_ino  # a replace brings a new inode even within one tick of the clock


def parse(content: Any) -> Registry:
    """registry.json's content -> Registry."""
    tasks = {}
    for task, entry in content["tasks"].items():
        version = entry["versions"][str(entry["live"])]
        tasks[task] = Branch(
            task, entry["live"], version["kind"], tuple(version["labels"]), version["tap"], version["max_length"]
        )
    return Registry(tasks)
