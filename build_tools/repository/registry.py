"""registry.json: which version of each task is live, and how to read each version's logits."""

import getpass
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from build_tools.errors import BuildError
from build_tools.repository.device import Device
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from espalier_json import NotJsonError, parse_json
from training.atomic_write import replace_file
from training.branch_record import BranchRecord
from training.kinds import Kind
from training.validation import first_problem

REGISTRY = "registry.json"
FORMAT_VERSION: Final = 3
EARLIER_FORMAT = 2  # of the releases before this one
KEEP_LOADED_SECONDS = 3600  # after a compaction, the previous versions' branch models
DRAIN_SECONDS = 10.0  # batches in flight may still follow the registry.json of this long ago


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Origin(_Entry):
    """Where a version comes from. checkpoint: SHA-256 of its branch.json. data_sha256: SHA-256 of its training data."""

    checkpoint: str
    data: str
    data_sha256: str
    published_at: datetime
    published_by: str


class VersionEntry(_Entry):
    """One version of a branch. Kind, labels and tap are here, not with the task: a new version may have others.

    model: the Triton model that holds it by itself. trunk: the Triton model whose hidden states it reads. The trunk's
    FusedEntry says whether a fused graph computes it in their place.
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
    """A canary's share (0..1) of a task's texts, and the bounds that it must keep.

    max_error_rate: largest share of errors among its answers, 0..1. max_milliseconds: longest average call. minimum:
    number of answers before either is judged. max_label_shift: how far (0..1, the total variation distance) the
    distribution of its labels may be from the live version's, beyond what chance may explain. Routers reject a
    registry with larger numbers (model_repository/nlu/1/router/registry_format.py).
    """

    share: float = Field(gt=0, le=1)
    max_error_rate: float = Field(default=0.01, ge=0, le=1)
    max_milliseconds: float = Field(default=1000.0, gt=0, le=1e12)
    minimum: int = Field(default=100, ge=1, le=2**63 - 1)
    # Samples of one distribution, of 2 to 150 labels and any size, never came near this (docs/publishing.md); a canary
    # that gives one label to everything is beyond it by then, unless nearly all texts have that label.
    max_label_shift: float = Field(default=0.2, ge=0, le=1)


class CanaryEntry(CanaryTerms):
    """The canary: its version and its terms."""

    version: int


class TaskEntry(_Entry):
    """A task: its live version, the earlier live versions (the latest last), and a canary or a shadow, if any.

    shadow: a version that computes beside the live one, only to be compared. leaving: {version: when it stopped
    receiving requests}. newest: the highest version number ever used.
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
        """The version that a rollback makes live again."""
        return self.earlier[-1] if self.earlier else None

    @property
    def candidate(self) -> int | None:
        """The version of the canary or the shadow."""
        return self.canary.version if self.canary else self.shadow

    @property
    def wanted(self) -> list[int]:
        """The versions that must be at hand: live, previous and candidate."""
        return sorted({version for version in (self.live, self.previous, self.candidate) if version is not None})

    @property
    def held(self) -> list[int]:
        """The wanted versions, and those that batches in flight may still ask for."""
        return sorted({*self.wanted, *self.leaving_now})

    @property
    def leaving_now(self) -> list[int]:
        """The versions that routers have stopped asking for, but batches in flight may still ask for."""
        recently = datetime.now(UTC) - timedelta(seconds=DRAIN_SECONDS)
        return [int(version) for version, since in self.leaving.items() if since > recently]

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
            raise ValueError("there is a canary and a shadow: a task has one candidate at a time")
        return self


class RetiredEntry(_Entry):
    """A retired task: its last version number, and the models that batches in flight may still ask for."""

    version: int
    since: datetime
    models: list[str]
    trunks: list[str]

    @property
    def is_leaving(self) -> bool:
        """Whether batches in flight may still ask for its models."""
        return self.since > datetime.now(UTC) - timedelta(seconds=DRAIN_SECONDS)


class FusedEntry(_Entry):
    """The graph that computes a trunk and some of its branches in one.

    model, version: of Triton. taps: those whose hidden states it gives out; a trunk published later may have more.
    tasks: {task: the version in it}. since: when it became live. keep_loaded_seconds: how long from then the branch
    models of those tasks' previous versions stay loaded.
    """

    model: str
    version: int = Field(ge=1)
    taps: list[int]
    tasks: dict[str, int] = Field(min_length=1)
    since: datetime
    keep_loaded_seconds: int = Field(default=KEEP_LOADED_SECONDS, ge=0)


class TrunkEntry(_Entry):
    """A trunk. Its outputs are the hidden states at `taps`.

    config: the part of the encoder's config that decides what its layers compute. version: that of the Triton model.
    fingerprints: f(0) .. f(deepest tap). tokenizers: {Triton model: its maximum number of tokens}. fused: the graph
    that computes it together with branches, if there is one. fused_leaving: {model of an earlier one: when it stopped
    receiving requests}. fused_made: how many there have ever been; their versions count them.
    """

    encoder: str
    config: dict[str, Any]
    version: int = 1
    taps: list[int]
    fingerprints: list[str]
    precision: Precision = Precision.FP32
    tokenizers: dict[str, int]
    fused: FusedEntry | None = None
    fused_leaving: dict[str, datetime] = {}
    fused_made: int = 0

    @property
    def hidden_size(self) -> int:
        """H, the width of the hidden states. Raises BuildError if the config does not say it."""
        size = self.config.get("hidden_size")
        if not isinstance(size, int) or size < 1:
            raise BuildError(
                f"{REGISTRY} is damaged (hidden_size of a trunk is {size!r:.60}): build the repository again."
            )
        return size

    @property
    def limits(self) -> dict[str, int]:
        """What requests to the trunk may hold: parameters of its config (request_check.py of our backends)."""
        named = {
            "most_tokens": "max_position_embeddings",
            "input_ids_below": "vocab_size",
            "token_type_ids_below": "type_vocab_size",
        }
        found = {limit: self.config.get(field) for limit, field in named.items()}
        return {limit: value for limit, value in found.items() if isinstance(value, int) and value > 0}

    def tokenizer_for(self, version: VersionEntry) -> str:
        """Returns the tokenizer model that truncates at this version's maximum length."""
        return next(name for name, length in self.tokenizers.items() if length == version.max_length)


class Registry(_Entry):
    """registry.json.

    generation: the number of this state of the file, one more after each replace. device: on which trunks and branches
    run; files of earlier releases do not say it. trunks: by the name of their Triton
    model. retired: tasks that were taken out. trunks_made: how many trunks there have ever been. No version or trunk
    number is used twice: routers cache answers and tokenizers by it.
    """

    format_version: Literal[3] = FORMAT_VERSION
    generation: int = Field(default=1, ge=1)
    runtime: Runtime
    device: Device = Device.CPU
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

    def fused_with(self, task: str, number: int) -> FusedEntry | None:
        """Returns the fused graph that computes this version of a task; None if its own branch model does."""
        entry = self.tasks.get(task)
        version = entry.versions.get(str(number)) if entry else None
        trunk = self.trunks.get(version.trunk) if version else None
        fused = trunk.fused if trunk else None
        return fused if fused is not None and fused.tasks.get(task) == number else None


def version_entry(record: BranchRecord, model: str, trunk: str, precision: Precision = Precision.FP32) -> VersionEntry:
    """Returns the registry's entry of a checkpoint that this user publishes now."""
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
    """Returns the name of the user who runs this command, or the number if there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        return str(os.getuid())


def read_registry(repository: Path, also_earlier: bool = False) -> Registry:
    """Returns the registry of a repository.

    also_earlier: reads the earlier format too, for `espalier upgrade`. It lacks fields that have defaults: a version
    runs in its own model, and the file is of generation 1.
    Raises BuildError if the file is missing, damaged, or of another format.
    """
    path = repository / REGISTRY
    if not path.is_file():
        raise BuildError(f"{repository} holds no {REGISTRY}: run espalier build first.")
    return parse_registry(path.read_bytes(), path, also_earlier)


def parse_registry(content: bytes, path: Path, also_earlier: bool = False) -> Registry:
    """Returns the registry that a file holds. path: where it was read, for messages. The rest: as read_registry."""
    try:
        parsed = parse_json(content)  # it refuses what the rest of the program cannot write or hash
        if also_earlier and _format_of(parsed) == EARLIER_FORMAT:
            content = json.dumps(parsed | {"format_version": FORMAT_VERSION}).encode()
        else:
            _check_format(path, _format_of(parsed))
        return Registry.model_validate_json(content)
    except NotJsonError as error:
        raise BuildError(f"{path} is damaged ({error}): build the repository again.") from error
    except ValidationError as error:
        raise BuildError(f"{path} is damaged ({first_problem(error)}): build the repository again.") from error


def _format_of(content: Any) -> Any:
    return content.get("format_version") if isinstance(content, dict) else None


def _check_format(path: Path, version: Any) -> None:
    if version == EARLIER_FORMAT:
        raise BuildError(
            f"{path.parent} was made by an earlier release (registry format {EARLIER_FORMAT}, this one has "
            f"{FORMAT_VERSION}): run espalier upgrade {quote(str(path.parent))}."
        )
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BuildError(
            f"{path.parent} was made by a later release (registry format {version}, this one has {FORMAT_VERSION}): "
            "use that release."
        )


def missing_versions(repository: Path, registry: Registry) -> list[str]:
    """Returns a sentence for each version that the registry names and that is not on disk."""
    return [
        f"{REGISTRY} names version {number} of {task}, but {repository / version.model / number} is missing."
        for task, entry in registry.tasks.items()
        for number, version in entry.versions.items()
        if not (repository / version.model / number).is_dir()
    ]


def check_versions(repository: Path, registry: Registry) -> None:
    """Raises BuildError if a version that the registry names is not on disk."""
    missing = missing_versions(repository, registry)
    if missing:
        raise BuildError(f"{missing[0]} Build the repository again.")


def write_registry(repository: Path, registry: Registry) -> None:
    """Replaces registry.json atomically: a router reads the old or the new one, never a part."""
    replace_file(repository / REGISTRY, registry_content(registry), staged_in=repository)


def registry_content(registry: Registry) -> bytes:
    """Returns what the file holds."""
    return (json.dumps(registry.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()
