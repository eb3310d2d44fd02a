"""A float32 graph for ONNX Runtime -> the same graph in fp16, which takes and gives float32."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel


def halve(source: Path, target: Path) -> None:
    """Writes the graph in `source` to `target`, with weights and all that it computes in fp16.

    Inputs and outputs stay float32: configs, routers and golden examples are those of any other precision. What is
    computed above an output of the trunk reads that output, so that the graph can still be cut there (segments.py).
    """
    # The shapes that the exporter gives are enough, and inferring those of com.microsoft's operators fails.
    model = convert_float_to_float16(onnx.load(source), keep_io_types=True, disable_shape_infer=True)
    OnnxModel.graph_topological_sort(model.graph)  # the new casts are at its end
    _read_outputs(model.graph)
    onnx.save(model, target)


def _read_outputs(graph: onnx.GraphProto) -> None:
    """Makes nodes read what an output holds, rounded to fp16 again, in place of the value from which it was cast."""
    outputs = {value.name for value in graph.output}
    casts = {node.input[0]: node for node in graph.node if node.op_type == "Cast" and node.output[0] in outputs}
    others = [node for node in graph.node if node.output[0] not in outputs or node.op_type != "Cast"]
    read = {name for node in others for name in node.input}
    nodes: list[onnx.NodeProto] = []
    for node in others:
        for index, name in enumerate(node.input):
            if name in casts:
                node.input[index] = f"{name}_again"
        nodes.append(node)
        for name in node.output:
            if name in casts:
                nodes.append(casts[name])
            if name in casts and name in read:
                output = casts[name].output[0]
                nodes.append(helper.make_node("Cast", [output], [f"{name}_again"], to=TensorProto.FLOAT16))
    del graph.node[:]
    graph.node.extend(nodes)
