"""Keeps OpenVINO from fusing GELU with the matrix product before it.

OpenVINO computes a plain product with MLAS, which takes any number of rows. A product fused with GELU is computed by
oneDNN, which prepares and keeps kernels for each new number of rows, and packs the weights again for small ones. With
texts of many lengths that costs more than a separate GELU (docs/experiments.md).
"""

import numpy as np
from openvino import Model, Node, opset13


def set_gelu_apart(model: Model) -> None:
    """Rewrites x * (0.5 * (1 + erf(x / sqrt(2)))) of each float product x in a form that OpenVINO does not fuse."""
    for erf in model.get_ordered_ops():
        if erf.get_type_name() != "Erf":
            continue
        x = erf.input_value(0).get_node().input_value(0)
        gelu = _only_reader(_only_reader(_only_reader(erf, "Add", 1.0), "Multiply", 0.5), "Multiply")
        if gelu is not None and x in gelu.input_values() and _is_product(x.get_node()):
            minus_half = opset13.multiply(erf, opset13.constant(np.float32(-0.5)))
            share = opset13.subtract(opset13.constant(np.float32(0.5)), minus_half)
            gelu.output(0).replace(opset13.multiply(x, share).output(0))


def _only_reader(node: Node | None, operator: str, constant: float | None = None) -> Node | None:
    """The only reader of the node, if it is that operator with that constant; else None."""
    readers = [] if node is None else list(node.output(0).get_target_inputs())
    if len(readers) != 1:
        return None
    reader = readers[0].get_node()
    if reader.get_type_name() != operator:
        return None
    constants = [one.get_node() for one in reader.input_values() if one.get_node().get_type_name() == "Constant"]
    is_it = constant is None or any(np.all(one.data == np.float32(constant)) for one in constants)
    return reader if is_it else None


def _is_product(node: Node) -> bool:
    """Whether the node is a product with a float matrix, with or without a bias. Int8 matrices are not constants."""
    if node.get_type_name() == "Add":
        node = node.input_value(0).get_node()
    return node.get_type_name() == "MatMul" and node.input_value(1).get_node().get_type_name() == "Constant"
