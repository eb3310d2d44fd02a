"""Cut an ONNX model at its outputs, so that a request for the first of them does not pay for the rest.

Neither runtime stops early by itself: OpenVINO computes all results of a compiled model, and ONNX Runtime's
`only_execute_path_to_fetches` has no effect in the inference wheels. One compiled model per output would hold the
weights of the lower layers once per output. Segments that each start where the one before ended hold them once.
"""

from collections.abc import Sequence

import onnx


def cut_at_outputs(model: onnx.ModelProto, outputs: Sequence[str]) -> list[onnx.ModelProto]:
    """Cuts the model into a chain of segments, one per name in `outputs`, in the order of their computation.

    Segment i computes output i from output i-1 and those inputs of the graph that it reads itself. Cheap nodes that
    several segments need (an attention mask made from the inputs) are repeated in each. The graphs of our exporter have
    no operators with a body (If, Loop), no functions and no sparse weights; such graphs are not supported.

    Outputs that do not form a chain (one is not computed from the one before) are left together: returns `[model]`,
    because cutting would compute and hold what they share once for each.

    Raises ValueError if the model computes no output of one of the names.
    """
    graph = model.graph
    position = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    missing = sorted(set(outputs) - set(position))
    if missing:
        raise ValueError(f"the model computes no output named {', '.join(missing)}")
    ordered = sorted(outputs, key=position.__getitem__)

    segments = []
    for index, output in enumerate(ordered):
        nodes, starts = _nodes_between(graph, position, output, stop_at=set(ordered) - {output})
        expected = {ordered[index - 1]} if index else set()
        if not expected <= starts:
            return [model]
        segments.append(_segment(model, nodes, output, starts))
    return segments


def _nodes_between(
    graph: onnx.GraphProto, position: dict[str, int], output: str, stop_at: set[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that compute `output`, in order, and the names in `stop_at` where the walk towards the inputs ended."""
    wanted, starts = set(), set()
    pending = [output]
    while pending:
        name = pending.pop()
        if name in stop_at:
            starts.add(name)
        elif name in position and position[name] not in wanted:
            wanted.add(position[name])
            pending.extend(graph.node[position[name]].input)
    return [graph.node[index] for index in sorted(wanted)], starts


def _segment(model: onnx.ModelProto, nodes: list[onnx.NodeProto], output: str, starts: set[str]) -> onnx.ModelProto:
    graph = model.graph
    read = {name for node in nodes for name in node.input}
    segment = onnx.ModelProto(ir_version=model.ir_version, producer_name=model.producer_name)
    segment.opset_import.extend(model.opset_import)
    segment.graph.name = f"{graph.name}_{output}"
    segment.graph.node.extend(nodes)
    segment.graph.initializer.extend(weight for weight in graph.initializer if weight.name in read)
    segment.graph.input.extend(value for value in graph.input if value.name in read)
    segment.graph.input.extend(value for value in graph.output if value.name in starts)
    segment.graph.output.extend(value for value in graph.output if value.name == output)
    return segment
