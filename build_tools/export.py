"""PyTorch modules -> ONNX graphs with dynamic batch and length, in the form that the runtime computes fastest."""

import copy
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.models.bert.modeling_bert import BertLayer

from build_tools.fusion import FusedLayer
from build_tools.names import TRUNK_INPUTS, hidden_name
from build_tools.runtime import Runtime
from training.encoder import Encoder
from training.model import Branch, Trunk

OPSET = 18


def export_trunk(encoder: Encoder, taps: list[int], path: Path, runtime: Runtime) -> None:
    """Writes the trunk, cut at the deepest tap: int64 [B, T] each -> hidden_<tap>, float32 [B, T, H], for each tap."""
    trunk = Trunk(encoder, taps)
    trunk.layers = _layers_for(runtime, trunk.layers)
    # A tensor of its own for each input: the exporter takes one given twice for one input.
    inputs = {name: torch.ones(2, 8, dtype=torch.long) for name in TRUNK_INPUTS}
    _export(trunk, inputs, [hidden_name(tap) for tap in trunk.taps], path)


def export_branch(branch: Branch, path: Path, runtime: Runtime) -> None:
    """Writes a branch: hidden float32 [B, T, H], attention_mask int64 [B, T] -> logits [B, C] or [B, T, C]."""
    branch = copy.deepcopy(branch).cpu().eval()
    branch.layers = _layers_for(runtime, branch.layers)
    hidden = torch.zeros(2, 8, branch.classifier.in_features)
    inputs = {"hidden": hidden, "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    _export(branch, inputs, ["logits"], path)


def _layers_for(runtime: Runtime, layers: nn.ModuleList) -> nn.ModuleList:
    """Layers that compute the same, in a form for export alone."""
    make: Callable[[Any], nn.Module] = _plain_layer if runtime is Runtime.OPENVINO else FusedLayer
    return nn.ModuleList(make(layer) for layer in layers)


def _plain_layer(layer: BertLayer) -> BertLayer:
    """A copy with attention written out: exported from `sdpa` it is cut into more operators."""
    plain = copy.deepcopy(layer)
    plain.attention.self.config._attn_implementation = "eager"
    return plain


def _export(module: nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str], path: Path) -> None:
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)  # it warns of torchvision's operators, which no BERT has
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                path,
                input_names=list(inputs),
                output_names=outputs,
                opset_version=OPSET,
                dynamic_shapes={name: {0: batch, 1: length} for name in inputs},
                dynamo=True,
                external_data=False,  # one file per version: what is published is one thing
                verbose=False,
            )
    finally:
        exporter_log.setLevel(level)
