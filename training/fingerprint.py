"""The trunk fingerprint: a hash chain that says which trunks a branch fits."""

import hashlib
import json
from collections.abc import Iterable

import torch

from training.encoder import Encoder
from training.tokenizer_form import tokenizer_json


def trunk_fingerprints(encoder: Encoder, depth: int) -> list[str]:
    """f(0) .. f(depth) of an encoder, as hex SHA-256.

    f(0) covers config, tokenizer and embeddings; f(k) covers f(k-1) and the weights of layer k. A branch with tap k
    fits any trunk with the same f(k), however deep that trunk is.
    """
    start = json.dumps(encoder.config, sort_keys=True) + "\n" + tokenizer_json(encoder.tokenizer)
    chain = [_hash(start, encoder.bert.embeddings.named_parameters())]
    for layer in encoder.bert.encoder.layer[:depth]:
        chain.append(_hash(chain[-1], layer.named_parameters()))
    return chain


def _hash(start: str, parameters: Iterable[tuple[str, torch.Tensor]]) -> str:
    digest = hashlib.sha256(start.encode())
    for name, tensor in sorted(parameters, key=lambda pair: pair[0]):
        digest.update(f"\n{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
