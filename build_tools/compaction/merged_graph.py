"""A trunk and branches on it -> one ONNX graph with all their outputs, in which equal subgraphs occur once.

The weights lie beside the graph, in a file of their own: our backends rewrite the graph without touching them, and a
graph of more than 2 GB is more than protobuf can hold in one message.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from build_tools.errors import BuildError
from build_tools.repository.names import hidden_name, logits_name

_APART_FROM = 1024  # bytes; smaller weights stay in the graph
_PAGE = 4096  # offsets that a runtime can map into memory


@dataclass(frozen=True)
class MergedBranch:
    """A branch as it is exported: hidden, attention_mask -> logits. tap: where its `hidden` comes from."""

    file: Path
    tap: int


def merge(trunk: Path, branches: Mapping[str, MergedBranch], target: Path) -> None:
    """Writes the trunk with the branches on it to `target`, and its weights to `target`.data.

    Its inputs are the trunk's. Its outputs are the trunk's, and logits_<task> for each task in `branches`. The graphs
    are read one after the other, so that no more than one of them is in memory.
    Raises BuildError if a branch reads a tap that the trunk does not have, or if the graphs were exported in different
    ways.
    """
    first = onnx.load(trunk)
    data = target.with_name(f"{target.name}.data")
    with data.open("wb") as weights:
        merged = _Merged(first, weights, data.name)
        for task, branch in sorted(branches.items()):
            if hidden_name(branch.tap) not in {value.name for value in first.graph.output}:
                raise BuildError(f"{task} reads tap {branch.tap}, which {trunk} does not have: build it again.")
            merged.add(task, onnx.load(branch.file), hidden_name(branch.tap))
    target.write_bytes(merged.model().SerializeToString(deterministic=True))


class _Merged:
    """The graph so far. It begins as the trunk's."""

    def __init__(self, trunk: onnx.ModelProto, weights: BinaryIO, location: str) -> None:
        """weights: the open file for weights. location: its name."""
        self._weights, self._location = weights, location
        self._opsets = _opsets(trunk)
        self._ir_version, self._producer = trunk.ir_version, trunk.producer_name
        self._graph = onnx.GraphProto(name="fused")
        self._graph.input.extend(_bare(trunk.graph.input))
        self._weight_names: dict[tuple[int, tuple[int, ...], bytes], str] = {}
        self._nodes: dict[bytes, list[str]] = {}
        self._extend(trunk.graph, {})
        self._graph.output.extend(_bare(trunk.graph.output))

    def add(self, task: str, branch: onnx.ModelProto, hidden: str) -> None:
        """Adds a branch that reads `hidden`."""
        for domain, version in _opsets(branch).items():
            if self._opsets.setdefault(domain, version) != version:
                raise BuildError(
                    f"the branch of {task} was exported with another set of operators than the others "
                    f"({domain or 'ai.onnx'} {version}, not {self._opsets[domain]}): publish it again."
                )
        (output,) = branch.graph.output
        names = {"hidden": hidden, "attention_mask": "attention_mask"}
        for value in (*branch.graph.initializer, *(one for node in branch.graph.node for one in _outputs(node))):
            name = value if isinstance(value, str) else value.name
            names[name] = f"{task}/{name}"
        logits = logits_name(task)
        names[output.name] = logits
        known = self._extend(branch.graph, names)
        if known != logits:  # another branch computes the very same
            self._graph.node.append(helper.make_node("Identity", [known], [logits]))
        (added,) = _bare([output])
        added.name = logits
        self._graph.output.append(added)

    def model(self) -> onnx.ModelProto:
        """Returns what has been merged."""
        imports = [helper.make_opsetid(domain, version) for domain, version in sorted(self._opsets.items())]
        return helper.make_model(
            self._graph, opset_imports=imports, ir_version=self._ir_version, producer_name=self._producer
        )

    def _extend(self, graph: onnx.GraphProto, names: dict[str, str]) -> str:
        """Adds weights and nodes under their new `names`, those that are there already not again.

        Returns the name of the last output of the graph.
        """
        for weight in graph.initializer:
            names[weight.name] = self._weight(weight, names.get(weight.name, weight.name))
        for node in graph.node:
            added = onnx.NodeProto(op_type=node.op_type, domain=node.domain)
            added.attribute.extend(node.attribute)
            added.input.extend(names.get(name, name) for name in node.input)
            key = added.SerializeToString(deterministic=True)
            wanted = [names.get(name, name) for name in node.output]
            known = self._nodes.get(key)
            if known is None or len(known) != len(wanted):
                self._nodes[key] = wanted
                added.output.extend(wanted)
                self._graph.node.append(added)
            else:
                names.update(zip(node.output, known, strict=True))
        last = graph.output[-1].name
        return names.get(last, last)

    def _weight(self, weight: TensorProto, name: str) -> str:
        """Adds a weight, unless there is an equal one. Returns the name under which it is there."""
        content = numpy_helper.to_array(weight).tobytes() if not weight.HasField("raw_data") else weight.raw_data
        key = (weight.data_type, tuple(weight.dims), hashlib.sha256(content).digest())
        if key not in self._weight_names:
            self._weight_names[key] = name
            added = self._graph.initializer.add(name=name, data_type=weight.data_type, dims=weight.dims)
            added.raw_data = content
            if len(content) >= _APART_FROM:
                self._put_apart(added)
        return self._weight_names[key]

    def _put_apart(self, weight: TensorProto) -> None:
        offset = -(-self._weights.tell() // _PAGE) * _PAGE
        self._weights.seek(offset)
        self._weights.write(weight.raw_data)
        set_external_data(weight, self._location, offset, len(weight.raw_data))
        weight.ClearField("raw_data")


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {entry.domain: entry.version for entry in model.opset_import}


def _outputs(node: onnx.NodeProto) -> Iterable[str]:
    return (name for name in node.output if name)


def _bare(values: Iterable[onnx.ValueInfoProto]) -> list[onnx.ValueInfoProto]:
    """Copies without the exporter's notes."""
    return [onnx.ValueInfoProto(name=value.name, type=value.type) for value in values]
