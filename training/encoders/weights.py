"""An encoder's weights, as the file or files in its folder hold them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from training.encoders.family import RefusedEncoderError, Tensors

_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def read_weights(path: str | Path) -> Tensors:
    """Reads all tensors. path: a local folder or a hub id, from which the file is fetched.

    Raises RefusedEncoderError if there is no such file, and what the libraries raise if it is damaged or out of reach.
    """
    for name in _FILES:
        file = _fetched(path, name)
        if file is None:
            continue
        if file.suffix != ".json":
            return _read(file)
        shards = sorted(set(json.loads(file.read_bytes())["weight_map"].values()))
        return {
            name: tensor for shard in shards for name, tensor in _read(_fetched(path, shard, is_needed=True)).items()
        }
    raise RefusedEncoderError(f"has no weights: its folder holds none of {', '.join(_FILES)}")


def _fetched(path: str | Path, name: str, is_needed: bool = False) -> Path | None:
    from transformers.utils.hub import cached_file  # here: it takes a second to import

    found: Any = cached_file(path, name, _raise_exceptions_for_missing_entries=is_needed)
    return None if found is None else Path(found)


def _read(file: Path | None) -> Tensors:
    assert file is not None  # a missing shard has been reported
    if file.suffix == ".safetensors":
        return load_file(file)
    return dict(torch.load(file, map_location="cpu", weights_only=True))
