"""registry.json as the router reads it: which version of each task answers, and how to read its logits."""

import json
from dataclasses import dataclass
from pathlib import Path


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
    def model(self):
        """The Triton model that holds the branch."""
        return f"branch_{self.task}"

    @property
    def is_pair(self):
        """True if the task reads two texts."""
        return self.kind.startswith("pair_")


@dataclass(frozen=True)
class Registry:
    """One state of registry.json."""

    tasks: dict[str, Branch]


class RegistryFile:
    """registry.json, read again whenever it was replaced: one stat call per batch of requests."""

    def __init__(self, file: Path):
        self._file = file
        self._seen = None
        self._registry = None

    def read(self):
        """The present registry."""
        stat = self._file.stat()
        seen = (stat.st_mtime_ns, stat.st_ino)  # a replace brings a new inode even within one tick of the clock
        if seen != self._seen:
            self._registry = parse(json.loads(self._file.read_text(encoding="utf-8")))
            self._seen = seen
        return self._registry


def parse(content):
    """registry.json's content -> Registry."""
    tasks = {}
    for task, entry in content["tasks"].items():
        version = entry["versions"][str(entry["live"])]
        tasks[task] = Branch(
            task, entry["live"], version["kind"], tuple(version["labels"]), version["tap"], version["max_length"]
        )
    return Registry(tasks)
