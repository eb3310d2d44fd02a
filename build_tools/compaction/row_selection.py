"""Rewrites a fused graph so that each of its parts computes only the rows that ask for it.

A fused graph is a trunk with outputs hidden_<tap>, and branches on it with outputs logits_<task>. Neither runtime
leaves out an output that nobody wants, but both leave out a node that has no rows. So a part that gathers its rows
first costs nothing where nobody asks, and one compiled graph serves all tasks, one task, and rows that ask for
different tasks.
"""

from collections.abc import Callable, Iterable
from typing import Any

import onnx
from onnx import TensorProto, helper

from build_tools.backends.espalier_backend.fused_layout import (
    HIDDEN,
    LOGITS,
    FusedLayout,
    resumed_input,
    rows_input,
    step_name,
)

_MASK = "attention_mask"


def select_rows(model: onnx.ModelProto) -> tuple[onnx.ModelProto, FusedLayout]:
    """Returns the rewritten graph, and where its outputs lie.

    Its inputs are those of the graph, one `rows_input` for each step and output, and one `resumed_input` for each tap
    but the deepest. attention_mask always has the request's S rows; the others of the graph's inputs may have 0 rows if
    no row begins at the embeddings. Its outputs have the graph's names, and only the rows selected for them. Cheap
    nodes that several parts need (those that prepare the mask) are repeated in each, weights are not.
    Raises ValueError if the graph is not a fused graph.
    """
    graph = model.graph
    outputs = {value.name: value for value in graph.output}
    taps = sorted(int(name.removeprefix(HIDDEN)) for name in outputs if name.startswith(HIDDEN))
    others = [name for name in outputs if not name.startswith((HIDDEN, LOGITS))]
    if not taps or others:
        raise ValueError(f"not a fused graph: its outputs are {', '.join(outputs)}")
    parts = _Parts(model)
    below: int | None = None
    for tap in taps:
        parts.add_step(tap, below)
        below = tap
    tasks = {name.removeprefix(LOGITS): parts.add_branch(name) for name in outputs if name.startswith(LOGITS)}
    return parts.model(), FusedLayout(tuple(taps), tasks)


class _Parts:
    """The new graph so far, part by part."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._inputs = {value.name: value for value in model.graph.input}
        self._outputs = {value.name: value for value in model.graph.output}
        self._maker = {name: index for index, node in enumerate(model.graph.node) for name in node.output if name}
        self._taps = {name for name in self._outputs if name.startswith(HIDDEN)}
        self._weights = {weight.name for weight in model.graph.initializer}
        self._new = onnx.GraphProto(name=f"{model.graph.name}_rows")
        self._new.input.extend(model.graph.input)
        for value in self._new.input:
            value.type.tensor_type.shape.dim[0].dim_param = "rows" if value.name == _MASK else "begun"
        self._new.initializer.extend(model.graph.initializer)

    def model(self) -> onnx.ModelProto:
        """Returns the new graph."""
        new = onnx.ModelProto(ir_version=self._model.ir_version, producer_name=self._model.producer_name)
        new.opset_import.extend(self._model.opset_import)
        new.graph.CopyFrom(self._new)
        return new

    def add_step(self, tap: int, below: int | None) -> None:
        """Adds the trunk's layers up to a tap, from the embeddings or from the tap below, and the tap's output."""
        part, output = step_name(tap), f"{HIDDEN}{tap}"
        rows = self._add_rows(part)
        nodes, starts = self._walk(output)
        if below is None:
            if starts:
                raise ValueError(f"not a fused graph: {output} is not the lowest tap")
            read = {name: self._gather(name, rows, f"{part}/{name}") for name in self._inputs}
            mask = read[_MASK]
        else:
            name = f"{HIDDEN}{below}"
            if starts != {name}:
                raise ValueError(f"not a fused graph: {output} is not computed from {name} alone")
            self._add_resumed(below)
            states = self._concat([_states(below), resumed_input(below)], f"{part}/from")
            masks = self._concat([_mask(below), _MASK], f"{part}/masks")
            mask = self._gather(masks, rows, f"{part}/{_MASK}")
            read = {name: self._gather(states, rows, f"{part}/{name}"), _MASK: mask}
        self._repeat(nodes, part, read, {output: _states(tap)})
        self._add_node("Identity", [mask], _mask(tap))
        self._add_output(output, self._gather(_states(tap), self._add_rows(output), output))

    def add_branch(self, output: str) -> int:
        """Adds a branch. Returns its tap."""
        nodes, starts = self._walk(output)
        if len(starts) != 1:
            raise ValueError(f"not a fused graph: {output} is not computed from one tap")
        (hidden,) = starts
        tap, rows = int(hidden.removeprefix(HIDDEN)), self._add_rows(output)
        read = {
            hidden: self._gather(_states(tap), rows, f"{output}/{hidden}"),
            _MASK: self._gather(_mask(tap), rows, f"{output}/{_MASK}"),
        }
        self._repeat(nodes, output, read, {output: output})
        self._add_output(output, output)
        return tap

    def _walk(self, output: str) -> tuple[list[onnx.NodeProto], set[str]]:
        """The nodes that compute `output`, in order, and the taps at which the walk towards the inputs ended."""
        wanted, starts, pending = set(), set(), [output]
        while pending:
            name = pending.pop()
            if name in self._taps and name != output:
                starts.add(name)
            elif name in self._maker and self._maker[name] not in wanted:
                wanted.add(self._maker[name])
                pending.extend(self._model.graph.node[self._maker[name]].input)
        return [self._model.graph.node[index] for index in sorted(wanted)], starts

    def _repeat(
        self, nodes: Iterable[onnx.NodeProto], part: str, read: dict[str, str], written: dict[str, str]
    ) -> None:
        """Adds nodes as a part of their own. read, written: {name in the graph: name in the new graph}."""

        def renamed(name: str) -> str:
            return read.get(name) or written.get(name) or (f"{part}/{name}" if name else "")

        for node in nodes:
            added = self._new.node.add(op_type=node.op_type, domain=node.domain)
            added.attribute.extend(node.attribute)
            added.input.extend(self._read(name, node, read, renamed) for name in node.input)
            added.output.extend(map(renamed, node.output))

    def _read(self, name: str, node: onnx.NodeProto, read: dict[str, str], renamed: Callable[[str], str]) -> str:
        if name in self._weights:
            return name
        if name in self._inputs and name not in read:
            # Above the lowest tap there are no token ids, and only their shape is read, which is the mask's.
            if node.op_type != "Shape":
                raise ValueError(f"not a fused graph: above a tap, {node.op_type} reads {name}")
            return read[_MASK]
        return renamed(name)

    def _add_rows(self, part: str) -> str:
        name = rows_input(part)
        self._new.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, [name]))
        return name

    def _add_resumed(self, tap: int) -> None:
        value = self._new.input.add()
        value.CopyFrom(self._outputs[f"{HIDDEN}{tap}"])
        value.name = resumed_input(tap)
        value.type.tensor_type.shape.dim[0].dim_param = value.name

    def _add_output(self, output: str, name: str) -> None:
        value = self._new.output.add()
        value.CopyFrom(self._outputs[output])
        value.name = name
        value.type.tensor_type.shape.dim[0].dim_param = rows_input(output)

    def _gather(self, name: str, rows: str, result: str) -> str:
        return self._add_node("Gather", [name, rows], result, axis=0)

    def _concat(self, names: list[str], result: str) -> str:
        return self._add_node("Concat", names, result, axis=0)

    def _add_node(self, operator: str, inputs: list[str], result: str, **attributes: Any) -> str:
        self._new.node.append(helper.make_node(operator, inputs, [result], **attributes))
        return result


def _states(tap: int) -> str:
    """The hidden states of the rows that reached a tap, in the new graph."""
    return f"{step_name(tap)}/states"


def _mask(tap: int) -> str:
    """The mask of the same rows."""
    return f"{step_name(tap)}/mask"
