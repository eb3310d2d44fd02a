"""The task checkpoint, which training writes and build_tools reads: a folder of safetensors and JSON, never pickle."""

import glob
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from espalier_json import NotJsonError, parse_json
from training.atomic_write import rename_folder
from training.branch_record import FORMAT_VERSION, GOLDEN_ROWS, RECORD, RECORD_BYTES, BranchRecord, record_sha256
from training.encoders.architecture import Architecture
from training.encoders.stored_names import in_branch
from training.errors import TrainingError, one_line
from training.kinds import Kind
from training.model import Branch
from training.tokenizer_form import tokenizer_json
from training.validation import first_problem

WEIGHTS, TOKENIZER, GOLDEN = "branch.safetensors", "tokenizer.json", "golden.jsonl"
BASELINE = "baseline.json"  # the record of a baseline, not a task checkpoint (baselines/baseline_checkpoint.py)
GOLDEN_CHARACTERS = 100_000  # of a golden text, as of a text in a request
# The largest file that is read. A tokenizer of 250,000 pieces has 17 MB; a branch's weights are as large as its record
# says, which is checked before they are read.
_MOST_BYTES = {RECORD: RECORD_BYTES, TOKENIZER: 2**26, GOLDEN: 2**26}
_AGAIN = "copy the checkpoint again or train it again"


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


def remove_checkpoint(folder: Path) -> None:
    """Removes a checkpoint, and what killed processes left of it half written. No process may be writing it."""
    for remains in (folder, *folder.parent.glob(f".{glob.escape(folder.name)}.*")):
        shutil.rmtree(remains, ignore_errors=True)


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
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise TrainingError(f"{folder} {problem}: give the folder of a task checkpoint.")
    if not path.is_file():
        raise TrainingError(
            f"{folder} is not a task checkpoint ({RECORD} is missing): give a folder that finetune, distill or search "
            "wrote."
        )
    for name, most in _MOST_BYTES.items():
        if (folder / name).is_file() and (folder / name).stat().st_size > most:
            raise TrainingError(f"{folder}: {name} has more than {most // 2**20} MB: train the branch again.")
    try:
        content = parse_json(path.read_bytes())
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise TrainingError(
                f"{path}: its format version is {version!r}; this version reads {FORMAT_VERSION}: use the "
                "Espalier that wrote it, or train the branch again."
            )
        record = BranchRecord.model_validate(content)
    except (NotJsonError, AttributeError) as error:
        raise TrainingError(f"{path} is damaged (it is not a JSON object): copy the checkpoint again.") from error
    except ValidationError as error:
        raise TrainingError(f"{path}: {first_problem(error).removesuffix('.')}: {_AGAIN}.") from error
    if record.sha256 != record_sha256(content):
        raise TrainingError(f"{path} is damaged (its SHA-256 is wrong): copy the checkpoint again.")
    for name in (WEIGHTS, TOKENIZER, GOLDEN):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder}: {name} is missing: {_AGAIN}.")
        if _sha256(folder / name) != record.files.get(name):
            raise TrainingError(f"{folder}: {name} is damaged (its SHA-256 is not the one in {RECORD}): {_AGAIN}.")
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
            f"{folder}: {WEIGHTS} does not hold the layers that {RECORD} describes ({one_line(error)}): {_AGAIN}."
        ) from error
    try:
        golden = [_golden_row(line) for line in (folder / GOLDEN).read_text(encoding="utf-8").split("\n") if line]
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # tokenizers raises a plain Exception
        raise TrainingError(
            f"{folder}: {GOLDEN} or {TOKENIZER} cannot be read ({one_line(error)}): {_AGAIN}."
        ) from error
    if not 0 < len(golden) <= GOLDEN_ROWS:
        raise TrainingError(
            f"{folder}: {GOLDEN} holds {len(golden)} examples; there must be 1 to {GOLDEN_ROWS}: {_AGAIN}."
        )
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
