import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from training.branch_record import BranchRecord, check_task_name, record_sha256
from training.checkpoint import Checkpoint, load_checkpoint, load_record, remove_checkpoint, save_checkpoint
from training.errors import TrainingError
from training.kinds import Kind
from training.tokenizer_form import tokenizer_json

FILES = ["branch.json", "branch.safetensors", "golden.jsonl", "tokenizer.json"]


@pytest.fixture
def folder(teachers: dict[Kind, Checkpoint], tmp_path: Path) -> Path:
    """A saved checkpoint that a test may damage."""
    save_checkpoint(tmp_path / "saved", teachers[Kind.CLASSIFICATION])
    return tmp_path / "saved"


def edit_record(folder: Path, edit: Callable[[dict[str, Any]], object], sign: bool = True) -> None:
    """Changes branch.json. signed: with the right SHA-256, as if it was written wrongly, not damaged later."""
    record = json.loads((folder / "branch.json").read_text())
    edit(record)
    if sign:
        record["sha256"] = record_sha256(record)
    (folder / "branch.json").write_text(json.dumps(record))


def refresh_hashes(folder: Path) -> None:
    """Makes branch.json agree with the files, as if they were written wrongly, not damaged later."""
    import hashlib

    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[1:]}
    edit_record(folder, lambda record: record.update(files=hashes))


@pytest.mark.parametrize("kind", list(Kind))
def test_round_trip_is_equal_to_the_bit(teachers: dict[Kind, Checkpoint], tmp_path: Path, kind: Kind) -> None:
    saved = teachers[kind]
    save_checkpoint(tmp_path / "deep" / "saved", saved)
    loaded = load_checkpoint(tmp_path / "deep" / "saved")
    assert loaded.record.model_copy(update={"files": {}, "sha256": ""}) == saved.record
    assert loaded.golden == saved.golden
    assert tokenizer_json(loaded.tokenizer) == tokenizer_json(saved.tokenizer)
    expected, got = saved.branch.state_dict(), loaded.branch.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert not loaded.branch.training
    hidden, mask = torch.randn(2, 5, 32), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    assert torch.equal(loaded.branch(hidden, mask), saved.branch(hidden, mask))


def test_folder_holds_safetensors_and_json_only_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == FILES
    assert [one.name for one in folder.parent.iterdir()] == ["saved"]
    assert load_file(folder / "branch.safetensors")
    for name in ("branch.json", "tokenizer.json"):
        assert isinstance(json.loads((folder / name).read_text(encoding="utf-8")), dict)
    for line in (folder / "golden.jsonl").read_text(encoding="utf-8").splitlines():
        assert set(json.loads(line)) == {"text", "logits"}
    record = json.loads((folder / "branch.json").read_text())
    assert record["format_version"] == 1
    assert sorted(record["files"]) == FILES[1:]


def test_existing_folder_is_not_overwritten(folder: Path, teachers: dict[Kind, Checkpoint]) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(TrainingError, match="saved already exists and is not overwritten"):
        save_checkpoint(folder, teachers[Kind.TAGGING])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_failed_write_leaves_nothing_behind(teachers: dict[Kind, Checkpoint], tmp_path: Path) -> None:
    broken = teachers[Kind.CLASSIFICATION].model_copy(update={"golden": [{"logits": object()}]})
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "saved", broken)
    assert list(tmp_path.iterdir()) == []


def test_removed_checkpoint_leaves_nothing_of_a_write_that_was_killed_either(folder: Path) -> None:
    others = folder.with_name(f"{folder.name}_epochs6"), folder.with_name(f".{folder.name}_epochs6.abc")
    for path in (folder.with_name(f".{folder.name}.abc") / folder.name, *others):
        path.mkdir(parents=True)
    remove_checkpoint(folder)
    assert set(folder.parent.iterdir()) == set(others)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    for load in (load_record, load_checkpoint):
        with pytest.raises(TrainingError, match=f"{folder}.*{name}"):
            load(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_damaged_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(TrainingError, match=f"{folder}: {name} is damaged"):
        load_record(folder)


def test_what_is_not_a_folder_is_refused_with_what_to_give(folder: Path) -> None:
    for place, problem in ((folder / "branch.json", "is a file"), (folder / "gone", "does not exist")):
        with pytest.raises(TrainingError) as refused:
            load_record(place)
        assert str(refused.value) == f"{place} {problem}: give the folder of a task checkpoint."


def test_record_that_is_no_json_is_named(folder: Path) -> None:
    (folder / "branch.json").write_text('{"format_version": 1,')
    with pytest.raises(TrainingError, match=r"branch\.json is damaged \(it is not a JSON object\)"):
        load_record(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "translation"),
        ("tap", 0),
        ("layers", 0),
        ("labels", "pos"),
        ("task", "../x"),
        ("surprise", 1),
    ],
)
def test_wrong_field_of_the_record_is_named(folder: Path, field: str, value: object) -> None:
    edit_record(folder, lambda record: record.update({field: value}))
    with pytest.raises(TrainingError, match=rf"branch\.json: {field}: "):
        load_record(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_unknown_format_version_is_named(folder: Path, version: object) -> None:
    edit_record(folder, lambda record: record.update(format_version=version))
    with pytest.raises(TrainingError, match=f"its format version is {version!r}; this version reads 1: use the "):
        load_record(folder)


def test_a_record_changed_after_it_was_written_is_damaged(folder: Path) -> None:
    edit_record(folder, lambda record: record.update(tap=record["tap"] + 1), sign=False)
    with pytest.raises(TrainingError, match=r"branch\.json is damaged \(its SHA-256 is wrong\)"):
        load_record(folder)


def test_missing_field_of_the_record_is_named(folder: Path) -> None:
    edit_record(folder, lambda record: record.pop("trunk_fingerprint"))
    with pytest.raises(TrainingError, match=r"branch\.json: trunk_fingerprint: "):
        load_record(folder)


def fewer_layers(folder: Path) -> None:
    edit_record(folder, lambda record: record.update(layers=2))


def more_layers(folder: Path) -> None:
    edit_record(folder, lambda record: record.update(layers=4))


def one_label_more(folder: Path) -> None:
    edit_record(folder, lambda record: record["labels"].append("neutral"))


def one_tensor_less(folder: Path) -> None:
    weights = load_file(folder / "branch.safetensors")
    del weights["classifier.bias"]
    save_file(weights, folder / "branch.safetensors")
    refresh_hashes(folder)


def no_safetensors(folder: Path) -> None:
    (folder / "branch.safetensors").write_bytes(b"pickle me")
    refresh_hashes(folder)


@pytest.mark.parametrize("spoil", [fewer_layers, more_layers, one_label_more, one_tensor_less, no_safetensors])
def test_weights_of_another_branch_are_refused(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with pytest.raises(
        TrainingError, match=r"branch\.safetensors does not hold the layers that branch\.json describes"
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["x", "sst2", "Wake_up", "a" * 64])
def test_plain_identifier_is_a_task_name(name: str) -> None:
    assert check_task_name(name) == name


@pytest.mark.parametrize(
    "name", ["../x", "", "a/b", "a.b", "a b", "2nd", "_a", "a-b", "é", "a\n", "a" * 65, "/abs", "..", "a\x00"]
)
def test_task_name_that_is_not_an_identifier_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an identifier"):
        check_task_name(name)


@pytest.mark.parametrize(
    "name", ["trunk", "tokenizer", "nlu", "nlu_stream", "fused", "replica_of", "branch_a", "branch_"]
)
def test_task_name_that_the_repository_uses_itself_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="used by the model repository itself"):
        check_task_name(name)


@pytest.mark.parametrize("name", ["../x", "trunk", "branch_a", ""])
def test_record_with_a_bad_task_name_cannot_be_made(teachers: dict[Kind, Checkpoint], name: str) -> None:
    record = teachers[Kind.CLASSIFICATION].record.model_dump()
    with pytest.raises(ValueError, match="task name"):
        BranchRecord.model_validate(record | {"task": name})
