import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_bert import save_encoder, tiny_bert
from tiny_tokenizer import tiny_tokenizer

from training.adoption.original import Original, load_original
from training.branch_record import RECORD
from training.errors import TrainingError
from training.kinds import Kind


@pytest.fixture
def copy(original_folders: dict[Kind, Path], tmp_path: Path) -> Path:
    """The pair classifier, to be changed."""
    return Path(shutil.copytree(original_folders[Kind.PAIR_CLASSIFICATION], tmp_path / "copy"))


def rewrite(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def refused(folder: Path | str) -> str:
    with pytest.raises(TrainingError) as error:
        load_original(str(folder))
    return str(error.value)


@pytest.mark.parametrize("kind", list(Kind))
def test_record_names_architecture_and_size(originals: dict[Kind, Original], kind: Kind) -> None:
    expected = {
        Kind.TAGGING: "RobertaForTokenClassification",
        Kind.PAIR_CLASSIFICATION: "DistilBertForSequenceClassification",
        Kind.PAIR_REGRESSION: "DistilBertForSequenceClassification",
    }.get(kind, "ElectraForSequenceClassification")
    record = originals[kind].record()
    assert (record["architecture"], record["layers"], record["hidden_size"]) == (expected, 3, 32)
    assert Path(record["model"]).is_absolute()
    assert json.loads(json.dumps(record)) == record


def test_hash_changes_with_a_weight_and_the_tokenizer_but_not_with_place_or_names(copy: Path) -> None:
    first = load_original(str(copy))
    before = first.sha256
    rewrite(copy / "config.json", id2label={"0": "x", "1": "y"}, label2id={"x": 0, "y": 1})
    moved = copy.rename(copy.with_name("moved"))
    assert load_original(str(moved)).sha256 == before
    first.tokenizer(["a", "b c"], padding=True, truncation=True, max_length=8)
    assert Original(first.name, first.model, first.tokenizer, first.tags_words).sha256 == before
    weights = load_file(moved / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, moved / "model.safetensors", {"format": "pt"})
    changed = load_original(str(moved)).sha256
    assert changed != before
    file = moved / "tokenizer.json"
    file.write_text(
        file.read_text()
        .replace('"lowercase":true', '"lowercase":false')
        .replace('"lowercase": true', '"lowercase": false')
    )
    assert load_original(str(moved)).sha256 != changed


@pytest.mark.parametrize(
    ("tokens", "positions", "padding", "expected"),
    [(64, 66, 1, 64), (10**30, 66, 1, 64), (10**30, 64, 0, 64), (512, 8192, 0, 512), (8192, 8192, 0, 512)],
)
def test_length_is_the_tokenizers_or_that_of_the_positions_behind_the_padding(
    originals: dict[Kind, Original],
    monkeypatch: pytest.MonkeyPatch,
    tokens: int,
    positions: int,
    padding: int,
    expected: int,
) -> None:
    original = originals[Kind.TAGGING]
    monkeypatch.setattr(original.tokenizer, "model_max_length", tokens)
    monkeypatch.setattr(original.model.config, "max_position_embeddings", positions)
    monkeypatch.setattr(original.model.config, "pad_token_id", padding)
    assert original.max_length == expected


def test_a_model_without_a_classification_head_is_refused(tmp_path: Path, copy: Path) -> None:
    bert = save_encoder(tmp_path / "bert", tiny_bert(tiny_tokenizer("a")), tiny_tokenizer("a"))
    assert "has no classification head (its architecture is BertModel)" in refused(bert)
    rewrite(copy / "config.json", architectures=None)
    assert "its config.json names no architecture" in refused(copy)


def test_missing_weights_of_the_head_are_refused(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert "lack classifier.weight (1 in all), so its answers would be random" in refused(copy)


def test_damaged_weights_and_other_shapes_are_refused_in_one_sentence(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    save_file(weights | {"classifier.bias": torch.zeros(5)}, copy / "model.safetensors", {"format": "pt"})
    assert "could not be loaded" in refused(copy)
    (copy / "model.safetensors").write_bytes(b"x" * 100)
    message = refused(copy)
    assert "could not be loaded" in message
    assert "\n" not in message


def test_a_model_without_a_tokenizer_is_refused(copy: Path) -> None:
    for file in copy.glob("*token*"):
        file.unlink()
    assert "tokenizer" in refused(copy) or "could not be loaded" in refused(copy)


def test_a_tokenizer_of_another_model_is_refused(copy: Path, original_folders: dict[Kind, Path]) -> None:
    for file in copy.glob("*token*"):
        shutil.copy(original_folders[Kind.TAGGING] / file.name, file)
    assert "they come from different models" in refused(copy)


def test_a_special_token_that_only_the_tokenizer_knows_is_no_reason_to_refuse(copy: Path) -> None:
    tokenizer = load_original(str(copy)).tokenizer
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.save_pretrained(copy)
    loaded = load_original(str(copy))
    assert loaded.tokenizer.mask_token_id == loaded.model.config.vocab_size


def test_code_of_the_models_own_is_not_run(copy: Path) -> None:
    (copy / "own.py").write_text("raise SystemExit('run')\n")
    rewrite(copy / "config.json", model_type="own", auto_map={"AutoConfig": "own.C", "AutoModel": "own.M"})
    assert "could not be loaded" in refused(copy)


@pytest.mark.parametrize("name", ["./missing", "/missing", "~/missing"])
def test_a_folder_that_does_not_exist_is_not_sought_on_the_hub(name: str) -> None:
    assert refused(name) == f"the model {name!r} is not a folder: give a folder that exists, or a hub id."


def test_a_checkpoint_of_ours_and_an_adapter_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "merge it into its model first" in refused(tmp_path)
    (tmp_path / RECORD).write_text("{}")
    assert "is a task checkpoint" in refused(tmp_path)
