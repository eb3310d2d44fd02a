"""Files of encoders as they are found: with heads, in parts, pickled, with old names; and those that are refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_families import save_family

from training.encoder import Encoder, load_encoder
from training.encoders.families import FAMILIES
from training.encoders.family import Tensors
from training.errors import TrainingError


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """(model type) -> the folder of a tiny model, made once. Not to be changed."""
    made: dict[str, Path] = {}

    def folder(model_type: str) -> Path:
        if model_type not in made:
            made[model_type] = save_family(model_type, tmp_path_factory.mktemp(model_type))
        return made[model_type]

    return folder


@pytest.fixture
def copy(folders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """(model type) -> such a folder, to be changed."""
    return lambda model_type: Path(shutil.copytree(folders(model_type), tmp_path / model_type))


def same(one: Encoder, other: Encoder) -> bool:
    first, second = one.network.state_dict(), other.network.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    file = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(file)).items()}, file, {"format": "pt"})


@pytest.mark.parametrize("model_type", FAMILIES)
def test_an_encoder_under_a_fine_tuned_head_is_the_encoder(
    model_type: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    from transformers import AutoModelForTokenClassification

    folder = Path(shutil.copytree(folders(model_type), tmp_path / "encoder"))
    AutoModelForTokenClassification.from_pretrained(folder).save_pretrained(folder)
    names = load_file(folder / "model.safetensors").keys()
    assert any(name.startswith(FAMILIES[model_type].prefix) for name in names)
    assert any(name.startswith("classifier") for name in names)
    with_head, bare = load_encoder(str(folder)), load_encoder(str(folders(model_type)))
    with_head.network.pooler = bare.network.pooler = None  # which heads for tokens do not keep
    assert same(with_head, bare)


def test_weights_in_parts_pickled_or_with_tensorflows_names_are_read(
    folders: Callable[[str], Path], copy: Callable[[str], Path]
) -> None:
    expected = load_encoder(str(folders("bert")))
    folder = copy("bert")
    rewrite(folder, lambda given: {name.replace("LayerNorm.weight", "LayerNorm.gamma"): given[name] for name in given})
    rewrite(folder, lambda given: {name.replace("LayerNorm.bias", "LayerNorm.beta"): given[name] for name in given})
    assert same(load_encoder(str(folder)), expected)

    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert same(load_encoder(str(folder)), expected)

    (folder / "pytorch_model.bin").unlink()
    parts = {"a.safetensors": list(tensors)[::2], "b.safetensors": list(tensors)[1::2]}
    for part, names in parts.items():
        save_file({name: tensors[name] for name in names}, folder / part, {"format": "pt"})
    places = {name: part for part, names in parts.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert same(load_encoder(str(folder)), expected)

    (folder / "b.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"b\.safetensors"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    ("model_type", "fields", "named"),
    [
        ("t5", {}, "'t5' model"),
        ("deberta-v2", {}, "choose one of BERT, RoBERTa, XLM-R, DistilBERT, ELECTRA, MPNet, ModernBERT"),
        ("roberta", {"pad_token_id": None}, "has no pad_token_id"),
        ("roberta", {"max_position_embeddings": 2}, "max_position_embeddings = 0"),
        ("roberta", {"is_decoder": True}, "needs a plain RoBERTa encoder"),
        ("distilbert", {"n_heads": 5}, "5 attention heads"),
        ("distilbert", {"activation": "own"}, "unknown activation, 'own'"),
        ("electra", {"embedding_size": 32}, "lack embeddings|other shapes"),
        ("mpnet", {"relative_attention_num_buckets": 16}, "16 buckets"),
        ("modernbert", {"layer_types": ["sliding_attention"] * 3 + ["full_attention"]}, "no regular order"),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}},
            "rotary positions of the type 'linear'",
        ),
        ("modernbert", {"num_attention_heads": 32}, "odd width"),
    ],
)
def test_what_is_not_computed_is_refused_in_one_sentence(
    model_type: str, fields: dict[str, Any], named: str, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    if model_type in FAMILIES:
        folder = copy(model_type)
        config = json.loads((folder / "config.json").read_text())
    else:
        folder, config = tmp_path, {"model_type": model_type}
    (folder / "config.json").write_text(json.dumps(config | fields))
    with pytest.raises(TrainingError, match=named) as error:
        load_encoder(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model_type", "tensor", "named"),
    [
        (
            "mpnet",
            "encoder.relative_attention_bias.weight",
            "lack encoder.layer.0.attention.attn.relative",
        ),
        ("modernbert", "layers.2.attn.Wqkv.weight", "lack layers.2.attn.Wqkv/key.weight"),
        ("modernbert", "final_norm.weight", "lack final_norm.weight"),
        ("roberta", "embeddings.position_embeddings.weight", "lack embeddings.position_embeddings.weight"),
        ("electra", "embeddings_project.bias", "lack embeddings_project.bias"),
    ],
)
def test_a_tensor_that_is_missing_is_named(
    model_type: str, tensor: str, named: str, copy: Callable[[str], Path]
) -> None:
    folder = copy(model_type)
    rewrite(folder, lambda given: {name: one for name, one in given.items() if name != tensor})
    with pytest.raises(TrainingError, match=named):
        load_encoder(str(folder))
