"""branch.json of a task checkpoint, which goes with its branch into the served repository. It loads no torch."""

import hashlib
import json
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from training.kinds import Kind
from training.label_form import check_labels_form, check_plain

FORMAT_VERSION: Final = 1
RECORD = "branch.json"
RECORD_BYTES = 2**24  # of the largest branch.json that is read
GOLDEN_ROWS = 32  # at most
MOST_LAYERS = 128  # of an encoder; a config or a record with more is damaged
# Names of the model repository's own models, and of the file that marks a replica's view. `fused` is kept free for
# compaction: the trunk and stable branches merged into one graph.
RESERVED_NAMES = ("trunk", "tokenizer", "nlu", "nlu_stream", "fused", "replica_of")


def check_task_name(name: str) -> str:
    """Returns the name. Raises ValueError if it is not an identifier or if the model repository uses it."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
        raise ValueError(f"the task name {name!r} is not an identifier: use letters, digits and _, a letter first.")
    if name in RESERVED_NAMES or name.startswith(("branch_", "tokenizer_")):
        raise ValueError(f"the task name {name!r} is used by the model repository itself: choose another.")
    return name


def _plain(text: str) -> str:
    return check_plain("the text", text)


# The files come from other teams, and some of their fields go on into registry.json, the audit log and terminals.
_Short = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
_Place = Annotated[str, Field(max_length=4096), AfterValidator(_plain)]  # a path, or a hub id
_Count = Annotated[int, Field(ge=0, le=10**12)]
_MOST_ENTRIES = 1000


class EncoderRecord(BaseModel):
    """The encoder that a branch was cut from."""

    model_config = ConfigDict(extra="forbid")
    name: _Place
    layers: int = Field(ge=1, le=MOST_LAYERS)
    config: dict[_Short, Any] = Field(max_length=_MOST_ENTRIES)


class TrainingRecord(BaseModel):
    """How a branch was trained.

    teacher: the content of the teacher's branch.json, if the branch is a student; the record of the original (a model
    of transformers, with `model` and `architecture`), if it was adopted.
    """

    model_config = ConfigDict(extra="forbid")
    role: Literal["teacher", "student"]
    data: _Place
    data_sha256: _Short
    train_rows: _Count
    dev_rows: _Count
    seed: int = Field(ge=-(2**63), lt=2**64)
    best_epoch: _Count
    hyper_parameters: dict[_Short, float | int | _Place] = Field(max_length=_MOST_ENTRIES)
    teacher: dict[str, Any] | None = None

    @property
    def original(self) -> dict[str, Any] | None:
        """The record of the model of transformers that the branch or its teacher learned from, if any."""
        found: Any = self.teacher
        while isinstance(found, dict) and "model" not in found:
            found = (found.get("training") or {}).get("teacher")
        return found if isinstance(found, dict) else None


class BranchRecord(BaseModel):
    """The content of branch.json."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1]  # FORMAT_VERSION
    task: Annotated[str, AfterValidator(check_task_name)]
    kind: Kind
    labels: list[str]
    metric: _Short
    encoder: EncoderRecord
    tap: int = Field(ge=1, le=MOST_LAYERS)
    layers: int = Field(ge=1, le=MOST_LAYERS)
    max_length: int = Field(ge=4)
    trunk_fingerprint: _Short
    scores: dict[_Short, float] = Field(max_length=_MOST_ENTRIES)
    training: TrainingRecord
    files: dict[_Short, _Short] = Field(
        default_factory=dict, max_length=_MOST_ENTRIES, description="SHA-256 of each other file"
    )
    sha256: _Short = Field(default="", description="SHA-256 of this record, this field left out")

    @model_validator(mode="after")
    def _fits_its_encoder(self) -> Self:
        positions = self.encoder.config.get("max_position_embeddings", 0)
        if not isinstance(positions, int):
            raise ValueError(f"max_position_embeddings of the encoder must be an integer, not {positions!r}")
        if self.max_length > positions:
            raise ValueError(f"max_length {self.max_length} is more than the encoder's {positions} positions")
        check_labels_form(self.labels)
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label occurs twice")
        return self

    @property
    def outputs(self) -> int:
        """C, the number of the head's outputs."""
        return 1 if self.kind is Kind.PAIR_REGRESSION else len(self.labels)


def record_sha256(content: dict[str, Any]) -> str:
    """The value of `sha256` in branch.json: the hash of all other fields.

    content: branch.json as read, not as validated, so that a later version's new fields do not make old checkpoints
    look damaged.
    """
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
