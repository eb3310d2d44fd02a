"""registry.json: for each task which version is live, and how to read each version's logits."""

import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from build_tools.errors import BuildError
from build_tools.names import branch_name
from build_tools.precision import Precision
from build_tools.runtime import Runtime
from training.kinds import Kind

if TYPE_CHECKING:
    from training.checkpoint import BranchRecord  # needs torch, which a machine that serves does not

FILE = "registry.json"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VersionEntry(_Entry):
    """One version of a branch. Tap and kind stand here and not with the task: a new version may have others."""

    kind: Kind
    labels: list[str]
    tap: int
    max_length: int
    precision: Precision = Precision.FP32


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
    """The trunk: its encoder, the taps it puts out, f(0) .. f(deepest tap), and what it computes in."""

    encoder: str
    taps: list[int]
    fingerprints: list[str]
    precision: Precision = Precision.FP32


class Registry(_Entry):
    """registry.json."""

    format_version: Literal[1] = 1
    runtime: Runtime
    trunk: TrunkEntry
    tasks: dict[str, TaskEntry]


def version_entry(record: "BranchRecord", precision: Precision = Precision.FP32) -> VersionEntry:
    """What the registry keeps of a checkpoint, and what its graph computes in."""
    return VersionEntry(
        kind=record.kind, labels=record.labels, tap=record.tap, max_length=record.max_length, precision=precision
    )


def read_registry(repository: Path) -> Registry:
    """The registry of a repository.

    Raises BuildError if there is none or it is damaged.
    """
    path = repository / FILE
    if not path.is_file():
        raise BuildError(f"{repository} holds no {FILE}: run espalier build first.")
    try:
        return Registry.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BuildError(f"{path} is damaged ({field}: {first['msg']}): build the repository again.") from error


def check_versions(repository: Path, registry: Registry) -> None:
    """Raises BuildError if a version that the registry names is not there."""
    for task, entry in registry.tasks.items():
        for version in entry.versions:
            folder = repository / branch_name(task) / version
            if not folder.is_dir():
                raise BuildError(f"{FILE} names version {version} of {task}, but {folder} is missing: build again.")


def write_registry(repository: Path, registry: Registry) -> None:
    """Replaces registry.json at once: a router sees the old or the new one, never a part."""
    content = json.dumps(registry.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    staged = repository / f".{FILE}.{uuid.uuid4().hex}"
    try:
        with staged.open("x", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(repository / FILE)
    finally:
        staged.unlink(missing_ok=True)
