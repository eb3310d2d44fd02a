import pytest
import torch

from build_tools.export.exported_layers import first_attention
from build_tools.export.first_token_attention import FirstTokenAttention
from training.encoders.layer import Layer
from training.model import additive_mask


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_first_token_gets_the_context_that_attention_of_all_tokens_gives_it(encoder, heads):
    torch.manual_seed(3)
    layer = Layer(encoder.architecture.model_copy(update={"num_attention_heads": heads}), 1).eval()
    for parameter in layer.parameters():  # biases too, which are 0 at first
        torch.nn.init.normal_(parameter, std=0.5)
    hidden = torch.randn(3, 7, 16)
    mask = additive_mask(torch.tensor([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1] + [0] * 6]))

    with torch.no_grad():
        expected = layer.attention(hidden, mask)[:, :1]
        computed = FirstTokenAttention(layer)(hidden, mask)

    torch.testing.assert_close(computed, expected)


ROTARY = {"norm_first": True, "attention_bias": False, "global_rotary_base": 1e4, "local_rotary_base": 1e2}


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"position_buckets": 32}, 1),
        (ROTARY, 1),
        ({**ROTARY, "attention_bias": True, "norm_bias": False}, 0),
        ({**ROTARY, "global_every": 2, "local_window": 3}, 1),
    ],
    ids=["relative positions", "rotary", "rotary, the lowest layer", "rotary and local"],
)
def test_so_it_does_with_other_positions_and_windows(encoder, changes, number):
    torch.manual_seed(3)
    layer = Layer(encoder.architecture.model_copy(update=changes), number).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    hidden = torch.randn(3, 7, 16)
    mask = additive_mask(torch.tensor([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1] + [0] * 6]))

    with torch.no_grad():
        expected = layer.attention(hidden, mask)[:, :1]
        computed = first_attention(layer)(hidden, mask)

    torch.testing.assert_close(computed, expected)
