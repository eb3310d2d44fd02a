"""GELU apart from the matrix product before it, where OpenVINO would compute both in one.

A product with nothing behind it is computed by MLAS, which takes any number of rows as it is; with GELU behind it by
oneDNN, which prepares kernels for each number of rows that it has not seen, keeps them, and packs the weights again for
small ones. Of many lengths that costs more than GELU's own way through memory (docs/benchmarks.md).
"""

import numpy as np
from openvino import Model, Node, Output, opset13


def set_gelu_apart(model: Model) -> None:
    """Writes each x * (0.5 * (1 + erf(x / sqrt(2)))) of a float product x in a form that is not known for GELU."""
    for erf in model.get_ordered_ops():
        if erf.get_type_name() == "Erf":
            x = erf.input_value(0).get_node().input_value(0)
            end = _end(erf, x)
            if end is not None and _is_product(x.get_node()):
                half = opset13.constant(np.float32(0.5))
                density = opset13.subtract(half, opset13.multiply(erf, opset13.constant(np.float32(-0.5))))
                end.output(0).replace(opset13.multiply(x, density).output(0))


def _end(erf: Node, x: Output) -> Node | None:
    """The product with x in which GELU ends."""
    node = erf
    while True:
        readers = node.output(0).get_target_inputs()
        if len(readers) != 1:
            return None
        node = next(iter(readers)).get_node()
        if node.get_type_name() == "Multiply" and x in node.input_values():
            return node
        if node.get_type_name() not in ("Add", "Multiply"):
            return None


def _is_product(node: Node) -> bool:
    """Whether it is a product with a matrix of floats, with or without a bias; int8 weights stand behind a scale."""
    if node.get_type_name() == "Add":
        node = node.input_value(0).get_node()
    return node.get_type_name() == "MatMul" and node.input_value(1).get_node().get_type_name() == "Constant"
