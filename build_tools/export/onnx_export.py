"""PyTorch modules -> ONNX graphs with dynamic batch and length, in the form that runs fastest on a runtime."""

import copy
import logging
import warnings
from collections.abc import Hashable
from itertools import pairwise
from pathlib import Path

import onnx_ir
import torch
from torch import nn

from build_tools.export.exported_layers import PLAIN, ExportedLayers, Form
from build_tools.export.onnxruntime_layers import FUSED
from build_tools.export.trace_cache import Structure, traced
from build_tools.repository.names import TRUNK_INPUTS, hidden_name
from build_tools.repository.runtime import Runtime
from training.encoder import Encoder
from training.encoders.architecture import Architecture
from training.model import Branch, Trunk

OPSET = 18
_OF_EMBEDDINGS = {"family", "vocab_size", "type_vocab_size", "embedding_size", "position_table"}  # of no branch


def export_trunk(encoder: Encoder, taps: list[int], path: Path, runtime: Runtime) -> None:
    """Writes the trunk up to its deepest tap: inputs int64 [B, T] -> hidden_<tap>, float32 [B, T, H], for each tap."""
    trunk = Trunk(encoder, taps)
    fields = encoder.config.items()
    structure = (runtime, *fields, *_forms(encoder.architecture, 0, trunk.taps[-1]), trunk.taps)
    outputs = [hidden_name(tap) for tap in trunk.taps]
    steps = [trunk.layers[below:tap] for below, tap in pairwise((0, *trunk.taps))]
    # All layers between two taps become one module, with a tap after it.
    trunk.layers = nn.ModuleList(ExportedLayers(step, _form(runtime), first_only=False) for step in steps)
    trunk.taps = tuple(range(1, len(steps) + 1))
    # Each input needs its own tensor: torch's exporter merges two inputs that are the same tensor.
    inputs = {name: torch.ones(2, 8, dtype=torch.long) for name in TRUNK_INPUTS}
    _export(structure, trunk, inputs, outputs, path)


def export_branch(branch: Branch, path: Path, runtime: Runtime) -> None:
    """Writes a branch: hidden float32 [B, T, H], attention_mask int64 [B, T] -> logits [B, C] or [B, T, C]."""
    branch = copy.deepcopy(branch).cpu().eval()
    head = (branch.classifier.out_features, branch.pooler is None)
    fields = [field for field in branch.architecture.recorded().items() if field[0] not in _OF_EMBEDDINGS]
    structure = (runtime, *fields, *_forms(branch.architecture, branch.tap, len(branch.layers)), *head)
    branch.layers = nn.ModuleList([ExportedLayers(branch.layers, _form(runtime), first_only=branch.pooler is not None)])
    hidden = torch.zeros(2, 8, branch.classifier.in_features)
    inputs = {"hidden": hidden, "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    _export(structure, branch, inputs, ["logits"], path)


def _forms(architecture: Architecture, tap: int, layers: int) -> list[Hashable]:
    """In what the layers above `tap` may differ, except their weights."""
    return [architecture.layer_form(tap + number) for number in range(layers)]


def _form(runtime: Runtime) -> Form:
    return PLAIN if runtime is Runtime.OPENVINO else FUSED


def _export(
    structure: Structure, module: nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str], path: Path
) -> None:
    graph = traced(structure, list(inputs), lambda: _trace(module, inputs, outputs))
    program = torch.onnx.ONNXProgram(graph, None)
    program.apply_weights(module.state_dict())
    program.optimize()
    program.save(path, external_data=False)  # one file per version, so that it is published and checked as one


def _trace(module: nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str]) -> onnx_ir.Model:
    """The graph without values for its weights, which have the module's own names."""
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)  # it warns about torchvision's operators, which no encoder uses
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=outputs,
                opset_version=OPSET,
                dynamic_shapes={name: {0: batch, 1: length} for name in inputs},
                dynamo=True,
                optimize=False,  # optimizing would fold weights into constants with other names
                verbose=False,
            )
    finally:
        exporter_log.setLevel(level)
    assert program is not None
    for name in module.state_dict():
        program.model.graph.initializers[name].const_value = None
    return program.model
