"""Whether an ONNX file could be a graph of our exporter: inputs, outputs, and nothing that reads other files.

A runtime computes what a graph says. This check keeps it to the tensors it is given: no weights in other files, no
functions or bodies of operators, no operators of others' making. What it answers is for the golden examples to show.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from build_tools.errors import BuildError
from build_tools.repository.names import TRUNK_INPUTS, hidden_name
from training.branch_record import RECORD, BranchRecord
from training.kinds import Kind

_DOMAINS = {"", "ai.onnx", "com.microsoft"}  # com.microsoft: operators of ONNX Runtime itself
_FLOAT, _INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
_Form = tuple[int, tuple[int | None, ...]]  # element type; sizes, None for B and T


def check_branch_graph(file: Path, record: BranchRecord, hidden_size: int) -> None:
    """Raises BuildError unless the graph is hidden [B, T, H], attention_mask [B, T] -> logits [B, C] or [B, T, C]."""
    per_answer = (None, None) if record.kind is Kind.TAGGING else (None,)
    _check(
        file,
        {"hidden": (_FLOAT, (None, None, hidden_size)), "attention_mask": (_INT64, (None, None))},
        {"logits": (_FLOAT, (*per_answer, record.outputs))},
    )


def check_trunk_graph(file: Path, taps: Iterable[int], hidden_size: int) -> None:
    """Raises BuildError unless the graph is ids, mask and types [B, T] -> hidden_<tap> [B, T, H] for each tap."""
    _check(
        file,
        dict.fromkeys(TRUNK_INPUTS, (_INT64, (None, None))),
        {hidden_name(tap): (_FLOAT, (None, None, hidden_size)) for tap in taps},
    )


def _check(file: Path, inputs: Mapping[str, _Form], outputs: Mapping[str, _Form]) -> None:
    name = f"{file.parent.name}/{file.name}"
    try:
        model = onnx.load(file, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise BuildError(f"its {name} is not an ONNX graph: package the checkpoint again.") from error
    graph = model.graph
    for what, wanted, values in (("inputs", inputs, graph.input), ("outputs", outputs, graph.output)):
        found = {value.name: _form(value) for value in values}
        if found.keys() != wanted.keys() or not all(_fits(found[one], wanted[one]) for one in wanted):
            raise BuildError(f"its {name} has other {what} than its {RECORD} says: package the checkpoint again.")
    problem = next(_strange(model), None)
    if problem:
        raise BuildError(f"its {name} is not a graph of `espalier package` ({problem}), so it is not run.")


def _form(value: onnx.ValueInfoProto) -> _Form:
    tensor = value.type.tensor_type
    return tensor.elem_type, tuple(one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim)


def _fits(found: _Form, wanted: _Form) -> bool:
    return found[0] == wanted[0] and found[1] == wanted[1]


def _strange(model: onnx.ModelProto) -> Iterator[str]:
    if model.functions or model.training_info:
        yield "it brings functions of its own"
    for node in model.graph.node:
        if node.domain not in _DOMAINS:
            yield f"an operator of {node.domain!r:.60}"
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield f"{node.op_type:.60} has a body"
    constants = (
        tensor
        for node in model.graph.node
        for attribute in node.attribute
        for tensor in chain((attribute.t,) if attribute.HasField("t") else (), attribute.tensors)
    )
    for tensor in chain(model.graph.initializer, constants):
        if tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data:
            yield f"the weight {tensor.name!r:.60} lies in another file"
    if model.graph.sparse_initializer:
        yield "it has sparse weights"
