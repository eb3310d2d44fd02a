import copy

import pytest
import torch
from transformers.models.bert.modeling_bert import BertLayer

from build_tools.export.first_token_attention import FirstTokenAttention
from training.model import additive_mask


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_first_token_gets_the_context_that_attention_of_all_tokens_gives_it(encoder, heads):
    config = copy.deepcopy(encoder.bert.config)
    config.num_attention_heads = heads
    torch.manual_seed(3)
    layer = BertLayer(config).eval()
    for parameter in layer.parameters():  # biases too, which are 0 at first
        torch.nn.init.normal_(parameter, std=0.5)
    hidden = torch.randn(3, 7, 16)
    mask = additive_mask(torch.tensor([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1] + [0] * 6]))

    with torch.no_grad():
        expected = layer.attention.self(hidden, mask)[0][:, :1]
        computed = FirstTokenAttention(layer)(hidden, mask)

    torch.testing.assert_close(computed, expected)
