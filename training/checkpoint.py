"""The task checkpoint, which training writes and build_tools reads: a folder of safetensors and JSON, never pickle."""

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from espalier_json import NotJsonError, parse_json
from training.atomic_write import rename_folder
from training.encoder import tokenizer_json
from training.encoder_checks import MOST_LAYERS
from training.encoders.architecture import Architecture
from training.encoders.stored_names import in_branch
from training.errors import TrainingError, one_line
from training.kinds import Kind
from training.label_form import check_labels_form, check_plain
from training.model import Branch
from training.validation import first_problem

FORMAT_VERSION: Final = 1
WEIGHTS, RECORD, TOKENIZER, GOLDEN = "branch.safetensors", "branch.json", "tokenizer.json", "golden.jsonl"
BASELINE = "baseline.json"  # the record of a baseline, which is no task checkpoint (baselines/baseline_checkpoint.py)
GOLDEN_ROWS = 32  # at most
GOLDEN_CHARACTERS = 100_000  # of a golden text, as of a text in a request
# The largest file that is read. A tokenizer of 250,000 pieces has 17 MB; a branch's weights are as large as its record
# says, which is checked before they are read.
_MOST_BYTES = {RECORD: 2**24, TOKENIZER: 2**26, GOLDEN: 2**26}
# Names of the model repository's own models. `fused` is kept free for compaction: the trunk and stable branches merged
# into one graph.
RESERVED_NAMES = ("trunk", "tokenizer", "nlu", "nlu_stream", "fused")


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


class Checkpoint(BaseModel):
    """A task checkpoint in memory."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)
    record: BranchRecord
    branch: Branch
    tokenizer: Tokenizer
    golden: list[dict[str, Any]]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the checkpoint to a new folder, completely or not at all.

    Raises TrainingError if the folder already exists: a checkpoint is never overwritten.
    """
    check_new(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        staged = Path(temporary) / folder.name
        staged.mkdir()
        state = checkpoint.branch.state_dict()
        tensors = {stored: state[name].detach().cpu().contiguous() for name, stored in in_branch(state).items()}
        save_file(tensors, staged / WEIGHTS)
        (staged / WEIGHTS).chmod(0o644)  # safetensors lets only the owner read it; other teams must too
        (staged / TOKENIZER).write_text(tokenizer_json(checkpoint.tokenizer), encoding="utf-8")
        with (staged / GOLDEN).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in checkpoint.golden)
        files = {name: _sha256(staged / name) for name in (WEIGHTS, TOKENIZER, GOLDEN)}
        record = checkpoint.record.model_copy(update={"files": files}).model_dump(mode="json")
        record["sha256"] = record_sha256(record)
        content = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        (staged / RECORD).write_text(content + "\n", encoding="utf-8")
        rename_folder(staged, folder)


def check_new(folder: Path) -> None:
    """Raises TrainingError if `folder` exists or cannot be created. Call it before hours of training."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be created ({error.strerror}): choose another output.") from error
    if not os.access(folder.parent, os.W_OK):
        raise TrainingError(f"{folder.parent} cannot be written to: choose another output.")
    if folder.exists():
        raise TrainingError(f"{folder} already exists and is not overwritten: choose another output or remove it.")


def load_record(folder: Path) -> BranchRecord:
    """Reads branch.json and checks every other file against its SHA-256.

    Raises TrainingError, naming the file or field, if a file is missing or damaged, the format version is unknown, or a
    field is invalid.
    """
    path = folder / RECORD
    if (folder / BASELINE).is_file():
        raise TrainingError(
            f"{folder} is a baseline, a whole encoder fine-tuned for one task: it shares no trunk with other tasks, so "
            "it cannot be built, published or distilled. `espalier evaluate` scores it."
        )
    if not path.is_file():
        raise TrainingError(f"{folder} is not a task checkpoint: {RECORD} is missing.")
    for name, most in _MOST_BYTES.items():
        if (folder / name).is_file() and (folder / name).stat().st_size > most:
            raise TrainingError(f"{folder}: {name} has more than {most // 2**20} MB: train the branch again.")
    try:
        content = parse_json(path.read_bytes())
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise TrainingError(f"{path}: its format version is {version!r}; this version reads {FORMAT_VERSION}.")
        record = BranchRecord.model_validate(content)
    except (NotJsonError, AttributeError) as error:
        raise TrainingError(f"{path} is damaged (it is not a JSON object): copy the checkpoint again.") from error
    except ValidationError as error:
        raise TrainingError(f"{path}: {first_problem(error)}") from error
    if record.sha256 != record_sha256(content):
        raise TrainingError(f"{path} is damaged (its SHA-256 is wrong): copy the checkpoint again.")
    for name in (WEIGHTS, TOKENIZER, GOLDEN):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder}: {name} is missing: copy the checkpoint again or train it again.")
        if _sha256(folder / name) != record.files.get(name):
            raise TrainingError(
                f"{folder}: {name} is damaged (its SHA-256 is not the one in {RECORD}): "
                "copy the checkpoint again or train it again."
            )
    return record


def load_checkpoint(folder: Path) -> Checkpoint:
    """Reads a whole checkpoint, with the branch in evaluation mode.

    Raises TrainingError as load_record does, and if the weights do not fit branch.json.
    """
    record = load_record(folder)
    try:
        architecture = Architecture(**record.encoder.config)
        per_token = record.kind is Kind.TAGGING
        with torch.device("meta"):  # shapes only: a record may describe more than fits in memory
            branch = Branch(architecture, record.tap, record.layers, record.outputs, per_token)
        state = branch.state_dict()
        stored = in_branch(state)
        _check_shapes(folder / WEIGHTS, {stored[name]: list(tensor.shape) for name, tensor in state.items()})
        weights = load_file(folder / WEIGHTS)
        branch.load_state_dict(
            {name: weights[stored[name]].to(torch.float32, copy=True) for name in state}, assign=True
        )
    except Exception as error:  # torch, safetensors and pydantic raise many types
        raise TrainingError(
            f"{folder}: {WEIGHTS} does not hold the layers that {RECORD} describes: {one_line(error)}"
        ) from error
    try:
        golden = [_golden_row(line) for line in (folder / GOLDEN).read_text(encoding="utf-8").split("\n") if line]
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # tokenizers raises a plain Exception
        raise TrainingError(f"{folder}: {GOLDEN} or {TOKENIZER} cannot be read: {one_line(error)}") from error
    if not 0 < len(golden) <= GOLDEN_ROWS:
        raise TrainingError(f"{folder}: {GOLDEN} holds {len(golden)} examples; there must be 1 to {GOLDEN_ROWS}.")
    return Checkpoint(record=record, branch=branch.eval(), tokenizer=tokenizer, golden=golden)


def _golden_row(line: str) -> dict[str, Any]:
    """Raises ValueError if the line is not a golden example."""
    row = parse_json(line)
    texts = [row.get("text"), row.get("text_pair", "")] if isinstance(row, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or not isinstance(row.get("logits"), list):
        raise ValueError("a golden example has a text and a list of logits")
    longest = max(len(str(text)) for text in texts)
    if longest > GOLDEN_CHARACTERS:
        raise ValueError(f"a golden text has {longest} characters: at most {GOLDEN_CHARACTERS} are allowed")
    return dict(row)


def _check_shapes(file: Path, expected: dict[str, list[int]]) -> None:
    """Raises RuntimeError unless the file holds exactly these names and shapes. It does not read the tensors."""
    with safe_open(file, "pt") as opened:
        found = {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118 (it is not a mapping)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise RuntimeError(f"{name} is {found.get(name, 'missing')}, expected is {expected.get(name, 'nothing')}")


def record_sha256(content: dict[str, Any]) -> str:
    """The value of `sha256` in branch.json: the hash of all other fields.

    content: branch.json as read, not as validated, so that a later version's new fields do not make old checkpoints
    look damaged.
    """
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
