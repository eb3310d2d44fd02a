"""The checkpoint of a baseline: a whole encoder with one task's head, which shares no trunk with other tasks.

`espalier evaluate` scores it. It cannot be built, published or distilled, and checkpoint.load_record says why.
"""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from training.atomic_write import rename_folder
from training.branch_record import EncoderRecord
from training.checkpoint import BASELINE, TOKENIZER, check_new
from training.encoder import Encoder
from training.errors import TrainingError, one_line
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.prepared_task import PreparedTask
from training.result_file import read_result_file
from training.task_model import FullModel
from training.tokenizer_form import tokenizer_json

WEIGHTS: Final = "weights.safetensors"

# full: every layer fine-tuned; lora: adapters, merged into the layers; joint: MT-DNN; left_out: its head on the others'
BaselineRole = Literal["full", "lora", "joint", "left_out"]


class BaselineRecord(BaseModel):
    """baseline.json."""

    model_config = ConfigDict(extra="forbid")
    format_version: Literal[1] = 1
    role: BaselineRole
    task: str
    kind: Kind
    labels: list[str]
    metric: str
    encoder: EncoderRecord
    max_length: int = Field(ge=4)
    scores: dict[str, float]
    data: str
    data_sha256: str
    seed: int
    learning_rate: float
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each other file")


@dataclass(frozen=True)
class Baseline:
    """A baseline in memory. model: inputs -> logits, in evaluation mode."""

    record: BaselineRecord
    model: FullModel
    tokenizer: Tokenizer


def baseline_record(
    task: PreparedTask, role: BaselineRole, scores: dict[str, float], hyper: HyperParameters
) -> BaselineRecord:
    """Returns the record of a baseline that was trained on the task. scores: on dev, in points."""
    encoder = task.encoder
    return BaselineRecord(
        role=role,
        task=task.name,
        kind=task.kind,
        labels=list(task.data.labels),
        metric=task.metric,
        encoder=EncoderRecord(name=encoder.name, layers=encoder.layers, config=encoder.config),
        max_length=task.max_length,
        scores=scores,
        data=task.data.source,
        data_sha256=task.data.sha256,
        seed=hyper.seed,
        learning_rate=hyper.learning_rate,
    )


def save_baseline(folder: Path, record: BaselineRecord, model: FullModel, tokenizer: Tokenizer) -> None:
    """Writes the checkpoint to a new folder, completely or not at all. Raises TrainingError if the folder exists."""
    check_new(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        staged = Path(temporary) / folder.name
        staged.mkdir()
        save_file({name: one.detach().cpu().contiguous() for name, one in model.state_dict().items()}, staged / WEIGHTS)
        (staged / WEIGHTS).chmod(0o644)  # safetensors lets only the owner read it
        (staged / TOKENIZER).write_text(tokenizer_json(tokenizer), encoding="utf-8")
        files = {name: _sha256(staged / name) for name in (WEIGHTS, TOKENIZER)}
        content = record.model_copy(update={"files": files}).model_dump(mode="json")
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (staged / BASELINE).write_text(text + "\n", encoding="utf-8")
        rename_folder(staged, folder)


def is_baseline(folder: Path) -> bool:
    """Whether the folder is the checkpoint of a baseline."""
    return (folder / BASELINE).is_file()


def read_baseline_record(folder: Path) -> BaselineRecord:
    """Reads baseline.json and checks the other files against their SHA-256. Raises TrainingError if one is damaged."""
    record = read_result_file(folder / BASELINE, BaselineRecord, "train it again")
    for name in (WEIGHTS, TOKENIZER):
        if not (folder / name).is_file() or _sha256(folder / name) != record.files.get(name):
            raise TrainingError(f"{folder}: {name} is missing or damaged: copy the checkpoint again or train it again.")
    return record


def load_baseline(folder: Path, encoder: Encoder) -> Baseline:
    """Reads a whole baseline.

    encoder: gives the shape; all its weights are replaced. Raises TrainingError as read_baseline_record does, and if
    the weights are not those of such an encoder.
    """
    record = read_baseline_record(folder)
    outputs = len(record.labels) or 1
    model = FullModel(encoder, outputs, per_token=record.kind is Kind.TAGGING)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # torch, safetensors and tokenizers raise many types
        raise TrainingError(
            f"{folder}: its weights do not fit the encoder {encoder.name!r}: give the one it was trained with "
            f"({record.encoder.name!r}). {one_line(error)}"
        ) from error
    return Baseline(record, model.eval().requires_grad_(requires_grad=False), tokenizer)


def joint_full_model(encoder: Encoder, head: torch.nn.Module, outputs: int, kind: Kind) -> FullModel:
    """Returns one task's model of a joint training: a copy of the shared encoder with the task's head on it.

    head: a Branch without layers.
    """
    model = FullModel(encoder, outputs, per_token=kind is Kind.TAGGING)
    missing = model.branch.load_state_dict(head.state_dict(), strict=False)
    assert not missing.unexpected_keys
    return model.eval()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
