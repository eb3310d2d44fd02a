"""Whatever stands in a file that a verb reads, the verb ends well or with one sentence, never with a traceback."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_damages import CONTENTS, changed, cut, sentence_of
from finished_search import write_search
from typer.testing import CliRunner

from training.baselines.joint_result import JointResult, read_joint_result, write_joint_result
from training.branch_record import RECORD, record_sha256
from training.checkpoint import GOLDEN, TOKENIZER, WEIGHTS, Checkpoint, load_checkpoint
from training.checkpoint import save_checkpoint as save
from training.cli import app
from training.data.task import load_task, read_examples
from training.encoder import load_encoder
from training.kinds import Kind
from training.search.result import read_result
from training.selection.suite_file import read_suite

pytestmark = pytest.mark.filterwarnings("ignore::training.errors.TrainingWarning")


def run_verb(*arguments: object) -> str | None:
    def call() -> None:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception

    return sentence_of(call)


def contents_for(file: Path) -> Iterator[bytes]:
    yield from CONTENTS.values()
    yield from cut(file.read_bytes())


@pytest.fixture(scope="module")
def checkpoint(teachers: dict[Kind, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "tagging"
    save(folder, teachers[Kind.TAGGING])
    return folder


def rehash(folder: Path) -> None:
    """Makes the hashes in branch.json those of the files, as somebody who edits a checkpoint by hand would."""
    record = json.loads((folder / RECORD).read_bytes())
    record["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, TOKENIZER, GOLDEN)
    }
    record["sha256"] = record_sha256(record)
    (folder / RECORD).write_text(json.dumps(record))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
@pytest.mark.parametrize("kind", [None, *Kind])
def test_data(suffix: str, kind: Kind | None, tmp_path: Path) -> None:
    good = {
        ".jsonl": '{"text": "a", "label": "x"}\n' * 20,
        ".csv": 'text,label\n"a, b",x\n' * 9,
        ".tsv": "text\tlabel\na\tx\n",
    }
    for split in ("train", "dev"):
        (tmp_path / f"{split}{suffix}").write_text(good[suffix])
    file = tmp_path / f"train{suffix}"
    for content in contents_for(file):
        file.write_bytes(content)
        sentence_of(lambda: load_task(str(tmp_path), kind))
        sentence_of(lambda: read_examples(file, kind or Kind.CLASSIFICATION, ("x", "y")))


@pytest.mark.parametrize("kind", [None, *Kind])
def test_values_in_data(kind: Kind | None, tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": "x"},
        {"text": "a", "text_pair": "b", "label": 2.5},
        {"tokens": ["a", "b"], "tags": ["O", "B-x"]},
        {"tokens": ["a", "b"], "label": ["x"]},
    ]
    for row in rows:
        (tmp_path / "dev.jsonl").write_text(json.dumps(row) + "\n")
        for other in changed(row):
            (tmp_path / "train.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(other)}\n")
            message = sentence_of(lambda: load_task(str(tmp_path), kind))
            assert message is None or len(message) < 700


def test_big_integer_in_data_names_file_and_line(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text(
            '{"text": "a", "label": "x"}\n{"text": "b", "label": ' + "1" * 5000 + "}\n"
        )
    message = run_verb("finetune", tmp_path, "-L", 1, "--output", tmp_path / "out", "--task", "t")
    assert message is not None
    assert message.startswith(f"{tmp_path / 'train.jsonl'}, line 2: ")


def test_task_file(tmp_path: Path) -> None:
    good = {
        "kind": "classification",
        "metric": "accuracy",
        "labels": ["x", "y"],
        "label_map": {"a": "x", "b": None},
        "fields": {"label": "label"},
    }
    rows = "".join(json.dumps({"text": "t", "label": label}) + "\n" for label in "abxy")
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text(rows)
    file = tmp_path / "task.json"
    file.write_text(json.dumps(good))
    assert sentence_of(lambda: load_task(str(tmp_path))) is None
    for content in [*contents_for(file), *(json.dumps(other).encode() for other in changed(good))]:
        file.write_bytes(content)
        sentence_of(lambda: load_task(str(tmp_path)))
    file.unlink()
    file.mkdir()
    assert sentence_of(lambda: load_task(str(tmp_path))) is not None


@pytest.mark.parametrize("name", ["train.jsonl", "dev.jsonl"])
def test_folder_in_place_of_data(name: str, tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.jsonl").write_text('{"text": "a", "label": "x"}\n')
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert run_verb("finetune", tmp_path, "-L", 1, "--output", tmp_path / "out", "--task", "t") is not None


@pytest.mark.parametrize("name", [RECORD, TOKENIZER, WEIGHTS, GOLDEN])
@pytest.mark.parametrize("with_hashes", [False, True])
def test_checkpoint(name: str, with_hashes: bool, checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    for number, content in enumerate(contents_for(checkpoint / name)):
        (folder / name).write_bytes(content)
        if with_hashes and name != RECORD:
            rehash(folder)
        message = sentence_of(lambda: load_checkpoint(folder))
        assert message is not None or (with_hashes and name in (TOKENIZER, WEIGHTS)), number
    (folder / name).unlink()
    (folder / name).mkdir()
    assert run_verb("evaluate", folder, "--data", tmp_path / "none.jsonl") is not None


def test_values_in_the_record_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    good = json.loads((folder / RECORD).read_bytes())
    for other in changed(good):
        if isinstance(other, dict):
            other["sha256"] = record_sha256(other)
        (folder / RECORD).write_text(json.dumps(other))
        sentence_of(lambda: load_checkpoint(folder))


def test_values_in_the_golden_examples_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    first = json.loads((folder / GOLDEN).read_text().split("\n")[0])
    for other in changed({"text": first["text"], "logits": first["logits"][:1]}):
        (folder / GOLDEN).write_text(json.dumps(other) + "\n")
        rehash(folder)
        sentence_of(lambda: load_checkpoint(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json"])
def test_encoder(name: str, encoder_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(encoder_folder, tmp_path / "copy"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    for content in list(contents_for(folder / name)):
        (folder / name).write_bytes(content)
        sentence_of(lambda: load_encoder(str(folder)))
    (folder / name).unlink()
    (folder / name).mkdir()
    sentence_of(lambda: load_encoder(str(folder)))


def test_values_in_the_config_of_an_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(encoder_folder, tmp_path / "copy"))
    good = json.loads((folder / "config.json").read_text())
    kept = ("model_type", "hidden_size", "hidden_act", "vocab_size", "num_hidden_layers", "type_vocab_size")
    for key in kept:
        for value in (None, True, -1, 0, 10**400, 0.5, "x", [], {}, [None]):
            (folder / "config.json").write_text(json.dumps(good | {key: value}))
            sentence_of(lambda: load_encoder(str(folder)))


def test_results_of_searches(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "results" / "intent", "intent", teachers={5: 71.5}, students={1: 66.1})
    file = folder / "result.json"
    good = json.loads(file.read_text())
    for content in contents_for(file):
        file.write_bytes(content)
        assert sentence_of(lambda: read_result(folder)) is not None
    for other in changed(good):
        file.write_text(json.dumps(other))
        run_verb("select", folder, "--json")
    file.unlink()
    file.mkdir()
    assert run_verb("select", folder) is not None


def test_results_in_a_report(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "results" / "intent", "intent")
    file = folder / "result.json"
    for content in contents_for(file):
        file.write_bytes(content)
        assert run_verb("report", folder.parent, "--output", tmp_path / "report", "--no-errors") is not None


def test_joint_result(tmp_path: Path) -> None:
    result = JointResult(encoder="e", encoder_layers=4, full={"a": 1.0}, leave_one_out={"a": 2.0}, seconds=1)
    write_joint_result(tmp_path, result)
    file = tmp_path / "joint.json"
    good = json.loads(file.read_text())
    for content in [*contents_for(file), *(json.dumps(other).encode() for other in changed(good))]:
        file.write_bytes(content)
        sentence_of(lambda: read_joint_result(tmp_path))


def test_suite_file(tmp_path: Path) -> None:
    entry = {"checkpoint": "intent", "role": "student", "layers": 2, "score": 90.5}
    good: dict[str, Any] = {"format_version": 2, "threshold": 1.0, "tasks": {"intent": entry}}
    file = tmp_path / "suite.json"
    file.write_text(json.dumps(good))
    assert sentence_of(lambda: read_suite(file)) is None
    for content in [*contents_for(file), *(json.dumps(other).encode() for other in changed(good))]:
        file.write_bytes(content)
        sentence_of(lambda: read_suite(file))
    assert sentence_of(lambda: read_suite(tmp_path)) is not None


def test_scores(tmp_path: Path) -> None:
    good = {"encoder_layers": 12, "tasks": {"a": {"teachers": {"5": 71.5}, "students": {"5": {"1": 66.1}}}}}
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(good))
    for content in [*contents_for(file), *(json.dumps(other).encode() for other in changed(good))]:
        file.write_bytes(content)
        run_verb("select", "--scores", file)
