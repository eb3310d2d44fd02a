"""A random BERT that computes in a blink."""

from pathlib import Path

import torch
from tiny_tokenizer import tiny_tokenizer
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from training.encoder import Encoder
from training.encoders.assemble import assemble
from training.encoders.bert import BERT

_DEPTH = 4


def tiny_bert(tokenizer: Tokenizer, layers: int = 4, width: int = 32, spread: float = 0.2, seed: int = 0) -> BertModel:
    """The same weights for the same seed; of fewer than 4 layers it is the bottom of that one.

    spread: of the weights; wide, so that another text gives clearly other hidden states.
    """
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=max(layers, _DEPTH),
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=64,
        initializer_range=spread,
    )
    config._attn_implementation = "sdpa"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        bert = BertModel(config).eval()
    bert.encoder.layer = bert.encoder.layer[:layers]  # cut afterwards: what is drawn depends on the depth
    bert.config.num_hidden_layers = layers
    return bert


def tiny_encoder_in_memory() -> Encoder:
    """3 layers of width 16; its tokenizer knows the words "a" to "e"."""
    tokenizer = tiny_tokenizer(*"abcde")
    bert = tiny_bert(tokenizer, layers=3, width=16, spread=0.3)
    return Encoder("tiny", assemble(BERT, bert.config, bert.state_dict()), tokenizer)


def save_encoder(folder: Path, bert: BertModel, tokenizer: Tokenizer) -> Path:
    """Writes them as a user's local encoder folder, and returns it."""
    bert.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
