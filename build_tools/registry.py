"""registry.json: for each task which version is live, and how to read each version's logits."""

import json
import os
import tempfile
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.checkpoint import BranchRecord
from training.kinds import Kind

FILE = "registry.json"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VersionEntry(_Entry):
    """One version of a branch. Tap and kind stand here and not with the task: a new version may have others."""

    kind: Kind
    labels: list[str]
    tap: int
    max_length: int


class CanaryEntry(_Entry):
    """A version that gets a share (0..1) of a task's requests."""

    version: int
    share: float = Field(gt=0, le=1)


class TaskEntry(_Entry):
    """A task: the version that answers now, and all that are on disk."""

    live: int
    canary: CanaryEntry | None = None
    versions: dict[str, VersionEntry]

    @model_validator(mode="after")
    def _named_versions_exist(self) -> Self:
        for version in (self.live, *([self.canary.version] if self.canary else [])):
            if str(version) not in self.versions:
                raise ValueError(f"version {version} is named but not among the versions {sorted(self.versions)}")
        return self


class TrunkEntry(_Entry):
    """The trunk: its encoder, the taps it puts out, and f(0) .. f(deepest tap)."""

    encoder: str
    taps: list[int]
    fingerprints: list[str]


class Registry(_Entry):
    """registry.json."""

    format_version: Literal[1] = 1
    runtime: str
    trunk: TrunkEntry
    tasks: dict[str, TaskEntry]


def version_entry(record: BranchRecord) -> VersionEntry:
    """What the registry keeps of a checkpoint."""
    return VersionEntry(kind=record.kind, labels=record.labels, tap=record.tap, max_length=record.max_length)


def read_registry(repository: Path) -> Registry:
    """The registry of a repository. Raises FileNotFoundError if it has none."""
    return Registry.model_validate_json((repository / FILE).read_bytes())


def write_registry(repository: Path, registry: Registry) -> None:
    """Replaces registry.json at once: a router sees the old or the new one, never a part."""
    content = json.dumps(registry.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=repository, prefix=".registry.", delete=False, encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # a temporary file is its owner's alone; tritonserver may be another user
    Path(file.name).replace(repository / FILE)
