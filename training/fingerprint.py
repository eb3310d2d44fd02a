"""The trunk fingerprint: a hash chain that says which trunks a branch fits."""

import hashlib
import json
from collections.abc import Callable

import torch
from torch import nn

from training.encoder import Encoder
from training.encoders.stored_names import in_embeddings, in_layer
from training.tokenizer_form import tokenizer_json


def trunk_fingerprints(encoder: Encoder, depth: int) -> list[str]:
    """f(0) .. f(depth) of an encoder, as hex SHA-256.

    f(0) covers config, tokenizer and embeddings; f(k) covers f(k-1) and the weights of layer k. A branch with tap k
    fits any trunk with the same f(k), however deep that trunk is.
    """
    start = json.dumps(encoder.config, sort_keys=True) + "\n" + tokenizer_json(encoder.tokenizer)
    chain = [_hash(start, encoder.network.embeddings, in_embeddings)]
    for layer in encoder.network.layers[:depth]:
        chain.append(_hash(chain[-1], layer, in_layer))
    return chain


def _hash(start: str, module: nn.Module, stored: Callable[[str], str]) -> str:
    parameters = {stored(name): tensor for name, tensor in module.named_parameters()}
    digest = hashlib.sha256(start.encode())
    for name, tensor in sorted(parameters.items()):
        digest.update(f"\n{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
