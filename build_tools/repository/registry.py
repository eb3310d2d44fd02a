"""registry.json: for each task which version is live, and how to read each version's logits."""

import getpass
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from espalier_json import NotJsonError, parse_json
from training.atomic_write import replace_file
from training.kinds import Kind

if TYPE_CHECKING:
    from training.checkpoint import BranchRecord  # needs torch, which a machine that serves does not

REGISTRY = "registry.json"
DRAIN_SECONDS = 10.0  # for batches in flight, which were taken up when registry.json said something else


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Origin(_Entry):
    """Where a version comes from. checkpoint, data_sha256: SHA-256 of its branch.json and of what it was trained on."""

    checkpoint: str
    data: str
    data_sha256: str
    published_at: datetime
    published_by: str


class VersionEntry(_Entry):
    """One version of a branch, with all that a new version may have otherwise: models, kind, labels, tap.

    model, trunk: the Triton models that hold it, and whose hidden states it reads.
    """

    model: str
    trunk: str
    kind: Kind
    labels: list[str]
    tap: int
    max_length: int
    precision: Precision = Precision.FP32
    origin: Origin

    @property
    def outputs(self) -> int:
        """C, the number of outputs of the head."""
        return 1 if self.kind is Kind.PAIR_REGRESSION else len(self.labels)


class CanaryTerms(_Entry):
    """A canary's share (0..1) of a task's texts, and the bounds in which it has to keep.

    max_error_rate: of its answers, 0..1. max_milliseconds: of its calls on average. minimum: of answers, before which
    neither is judged.
    """

    share: float = Field(gt=0, le=1)
    max_error_rate: float = Field(default=0.01, ge=0, le=1)
    max_milliseconds: float = Field(default=1000.0, gt=0)
    minimum: int = Field(default=100, ge=1)


class CanaryEntry(CanaryTerms):
    """The version that answers for that share."""

    version: int


class TaskEntry(_Entry):
    """A task: the version that answers now, those that did before it (the last one last), and one a candidate, if any.

    shadow: a version that computes beside the live one, for comparison alone. leaving: {version that was asked until
    then: when it was not any more}. newest: the last number that was given.
    """

    live: int
    earlier: list[int] = []
    canary: CanaryEntry | None = None
    shadow: int | None = None
    leaving: dict[str, datetime] = {}
    newest: int = 0
    versions: dict[str, VersionEntry]

    @property
    def previous(self) -> int | None:
        """What a rollback makes live again."""
        return self.earlier[-1] if self.earlier else None

    @property
    def candidate(self) -> int | None:
        """The canary or the shadow."""
        return self.canary.version if self.canary else self.shadow

    @property
    def wanted(self) -> list[int]:
        """The versions that Triton has to hold: live, previous and a candidate."""
        return sorted({version for version in (self.live, self.previous, self.candidate) if version is not None})

    @property
    def held(self) -> list[int]:
        """With them those that batches in flight may still ask for."""
        recently = datetime.now(UTC) - timedelta(seconds=DRAIN_SECONDS)
        leaving = (int(version) for version, since in self.leaving.items() if since > recently)
        return sorted({*self.wanted, *leaving})

    @property
    def live_version(self) -> VersionEntry:
        """The entry of the live version."""
        return self.versions[str(self.live)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for version in (self.live, *self.earlier, self.candidate, *map(int, self.leaving)):
            if version is not None and str(version) not in self.versions:
                raise ValueError(f"version {version} is named but not among the versions {sorted(self.versions)}")
        self.newest = max(self.newest, *map(int, self.versions))
        if self.candidate == self.live:
            raise ValueError(f"version {self.live} is live and a candidate at once")
        if self.canary and self.shadow is not None:
            raise ValueError("there is a canary and a shadow: one version at a time is a candidate")
        return self


class RetiredEntry(_Entry):
    """A task that is no more: its last version, and what batches in flight may still ask for shortly after."""

    version: int
    since: datetime
    models: list[str]
    trunks: list[str]

    @property
    def is_leaving(self) -> bool:
        """Whether that is now."""
        return self.since > datetime.now(UTC) - timedelta(seconds=DRAIN_SECONDS)


class TrunkEntry(_Entry):
    """A trunk: its encoder, the taps it puts out, f(0) .. f(deepest tap), and what it computes in.

    config: what of the encoder's decides what its layers compute. version: of the Triton model. tokenizers: {Triton
    model: the most tokens it gives}.
    """

    encoder: str
    config: dict[str, Any]
    version: int = 1
    taps: list[int]
    fingerprints: list[str]
    precision: Precision = Precision.FP32
    tokenizers: dict[str, int]

    @property
    def hidden_size(self) -> int:
        """H, of the hidden states."""
        size = self.config.get("hidden_size")
        if not isinstance(size, int) or size < 1:
            raise BuildError(
                f"{REGISTRY} is damaged (hidden_size of a trunk is {size!r:.60}): build the repository again."
            )
        return size

    def tokenizer_for(self, version: VersionEntry) -> str:
        """The tokenizer model that cuts where this version of a branch wants it."""
        return next(name for name, most in self.tokenizers.items() if most == version.max_length)


class Registry(_Entry):
    """registry.json.

    trunks: by the name of their Triton model. retired: tasks that are no more. trunks_made: how many there have been.
    Neither versions nor trunks get a number twice: routers remember answers and tokenizers by them.
    """

    format_version: Literal[2] = 2
    runtime: Runtime
    trunks: dict[str, TrunkEntry]
    tasks: dict[str, TaskEntry]
    retired: dict[str, RetiredEntry] = {}
    trunks_made: int = 1

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        for name, task in self.tasks.items():
            for number in task.wanted:
                version = task.versions[str(number)]
                trunk = self.trunks.get(version.trunk)
                if trunk is None:
                    raise ValueError(f"version {number} of {name} reads {version.trunk}, which is not among the trunks")
                if version.max_length not in trunk.tokenizers.values():
                    raise ValueError(f"{version.trunk} has no tokenizer of {version.max_length} tokens for {name}")
        return self


def version_entry(
    record: "BranchRecord", model: str, trunk: str, precision: Precision = Precision.FP32
) -> VersionEntry:
    """What the registry keeps of a checkpoint that is published now, by this user."""
    origin = Origin(
        checkpoint=record.sha256,
        data=record.training.data,
        data_sha256=record.training.data_sha256,
        published_at=datetime.now(UTC).replace(microsecond=0),
        published_by=this_user(),
    )
    return VersionEntry(
        model=model,
        trunk=trunk,
        kind=record.kind,
        labels=record.labels,
        tap=record.tap,
        max_length=record.max_length,
        precision=precision,
        origin=origin,
    )


def this_user() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return str(os.getuid())


def read_registry(repository: Path) -> Registry:
    """The registry of a repository.

    Raises BuildError if there is none or it is damaged.
    """
    path = repository / REGISTRY
    if not path.is_file():
        raise BuildError(f"{repository} holds no {REGISTRY}: run espalier build first.")
    try:
        content = path.read_bytes()
        parse_json(content)  # it refuses what the rest of the program cannot write or hash
        return Registry.model_validate_json(content)
    except NotJsonError as error:
        raise BuildError(f"{path} is damaged ({error}): build the repository again.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BuildError(f"{path} is damaged ({field}: {first['msg']}): build the repository again.") from error


def missing_versions(repository: Path, registry: Registry) -> list[str]:
    """A sentence for each version that the registry names and that is not there."""
    return [
        f"{REGISTRY} names version {number} of {task}, but {repository / version.model / number} is missing."
        for task, entry in registry.tasks.items()
        for number, version in entry.versions.items()
        if not (repository / version.model / number).is_dir()
    ]


def check_versions(repository: Path, registry: Registry) -> None:
    """Raises BuildError if one is missing."""
    missing = missing_versions(repository, registry)
    if missing:
        raise BuildError(f"{missing[0]} Build the repository again.")


def write_registry(repository: Path, registry: Registry) -> None:
    """Replaces registry.json at once: a router sees the old or the new one, never a part."""
    content = json.dumps(registry.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    replace_file(repository / REGISTRY, content, staged_in=repository)
