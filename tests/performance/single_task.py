"""One whole encoder per task, as single-task serving has them: built by `espalier build`, then joined to one graph."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import compose
from random_suite import random_checkpoints
from shapes import Shape
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.build.builder import build
from build_tools.repository.names import branch_name, hidden_name
from build_tools.repository.precision import Precision
from build_tools.repository.registry import read_registry
from build_tools.repository.triton_config import GRAPH_FILE, read_config, write_config
from training.encoder import load_encoder


def build_encoders(shape: Shape, encoder_name: str, precision: Precision, repository: Path, target: Path) -> None:
    """In `target`, for each task of the shape, a model that reads tokens and gives logits, with all encoder layers.

    They have the branches' names and live versions of `repository`, for the router to find them. Every task has a file
    of its own, because nothing is shared in single-task serving. They run as the repository does, in `precision`.
    """
    tap = shape.encoder_layers - 1
    # A trunk of all layers but one and a branch of one: whatever build does to graphs is then done to these too.
    whole = replace(shape, branches=tuple(replace(branch, tap=tap, layers=1) for branch in shape.branches))
    registry = read_registry(repository)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".encoders.") as folder:
        work = Path(folder)
        checkpoints = random_checkpoints(whole, load_encoder(encoder_name), work / "checkpoints")
        parts = work / "repository"
        build(checkpoints, parts, runtime=registry.runtime, precision=precision)
        staged = work / "encoders"
        trunk = onnx.load(parts / "trunk" / "1" / GRAPH_FILE)
        for branch in whole.branches:
            model = branch_name(branch.task)
            version = staged / model / str(registry.tasks[branch.task].live)
            version.mkdir(parents=True)
            joined = join(trunk, onnx.load(parts / model / "1" / GRAPH_FILE), hidden_name(tap))
            onnx.save(joined, version / GRAPH_FILE, save_as_external_data=True, location=f"{GRAPH_FILE}.data")
            write_config(staged / model, _joined_config(parts, model))
        shutil.move(staged, target)


def join(trunk: onnx.ModelProto, branch: onnx.ModelProto, hidden: str) -> onnx.ModelProto:
    """One graph: tokens -> logits. hidden: the trunk's output that the branch reads."""
    prefixed = compose.add_prefix(branch, "branch/")
    ends = {"branch/hidden": hidden, "branch/attention_mask": "attention_mask", "branch/logits": "logits"}
    _rename(prefixed.graph, ends)
    joined = onnx.ModelProto()
    joined.CopyFrom(trunk)
    graph = joined.graph
    graph.node.extend(prefixed.graph.node)
    graph.initializer.extend(prefixed.graph.initializer)
    del graph.output[:]
    graph.output.extend(prefixed.graph.output)
    _add_missing(joined.opset_import, branch.opset_import, "domain")
    _add_missing(joined.functions, prefixed.functions, "name")
    return joined


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    for value in graph.output:
        value.name = names.get(value.name, value.name)


def _add_missing(present: Any, more: Any, key: str) -> None:
    known = {getattr(entry, key) for entry in present}
    present.extend(entry for entry in more if getattr(entry, key) not in known)


def _joined_config(parts: Path, model: str) -> pb.ModelConfig:
    """Inputs of the trunk, outputs of the branch; all else the branch's."""
    trunk, branch = read_config(parts / "trunk"), read_config(parts / model)
    del branch.input[:]
    branch.input.extend(trunk.input)
    return branch
