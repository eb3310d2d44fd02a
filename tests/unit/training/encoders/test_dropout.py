"""Our dropout drops as PyTorch's does, and attention with it attends as PyTorch's does."""

import pytest
import torch
from torch import nn

from training.encoders.architecture import Architecture
from training.encoders.attention import Attention
from training.encoders.dropout import Dropout

TINY = Architecture(
    vocab_size=10,
    hidden_size=8,
    num_attention_heads=2,
    intermediate_size=16,
    hidden_act="gelu",
    layer_norm_eps=1e-12,
    max_position_embeddings=16,
    type_vocab_size=2,
)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_scales_the_rest(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = Dropout(share)(torch.ones(1000, 1001, dtype=dtype))
    assert values.dtype == dtype
    assert (values == 0).float().mean().item() == pytest.approx(share, abs=0.002)
    scale = torch.tensor(1 / (1 - share), dtype=dtype)
    assert values[values != 0].unique().tolist() == [scale.item()]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_dropout_of_nothing_and_of_everything_is_pytorchs(share: float) -> None:
    ones = torch.ones(7)
    assert torch.equal(Dropout(share)(ones), nn.Dropout(share)(ones))


def test_dropout_changes_nothing_outside_of_training() -> None:
    ones = torch.ones(7)
    assert Dropout(0.5).eval()(ones) is ones


def test_dropout_draws_the_same_after_the_same_seed_and_anew_after_that() -> None:
    ones, dropout, drawn = torch.ones(3, 5, 7), Dropout(0.5), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(dropout(ones))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(dropout(ones), dropout(ones))


def test_a_dropped_value_has_no_gradient_and_a_kept_one_the_scale() -> None:
    ones = torch.ones(64, requires_grad=True)
    dropped = Dropout(0.5)(ones)
    dropped.sum().backward()
    assert ones.grad is not None
    assert torch.equal(ones.grad, dropped.detach())


@pytest.mark.parametrize("buckets", [0, 32])
def test_attention_with_dropout_is_pytorchs_where_nothing_is_dropped(buckets: int) -> None:
    torch.manual_seed(0)
    attention = Attention(TINY.model_copy(update={"position_buckets": buckets}), 0)
    hidden, mask = torch.randn(2, 5, 8), torch.zeros(2, 1, 1, 5)
    mask[1, ..., 3:] = -1e9
    attention.dropout.p = 1e-9  # too little to drop any of these
    torch.testing.assert_close(attention.train()(hidden, mask), attention.eval()(hidden, mask))
    attention.dropout.p = 0.5
    assert not torch.allclose(attention.train()(hidden, mask), attention.eval()(hidden, mask))
