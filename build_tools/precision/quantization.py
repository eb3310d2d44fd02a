"""A float32 graph -> the same graph with the matrices of its layers in int8.

Weights get one symmetric scale per output. Activations are rounded at run time, with scales per token. With the one
scale per tensor of `onnxruntime.quantization.quantize_dynamic`, an answer would depend on the other texts of its batch.
The heads stay in float32: they cost little, and they decide the label.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from build_tools.repository.runtime import Runtime

CONTRIBUTED = "com.microsoft"
_LARGEST = 127


def quantize(source: Path, target: Path, runtime: Runtime, hidden_size: int) -> None:
    """Writes the graph in `source` to `target`, with matrices of at least hidden_size x hidden_size in int8."""
    model = onnx.load(source)
    graph = _Int8Graph(model.graph, hidden_size)
    product = {Runtime.OPENVINO: graph.with_int8_weight, Runtime.ONNXRUNTIME: graph.of_integers}[runtime]
    graph.replace_products(product)
    onnx.save(model, target)


class _Int8Graph:
    """A graph whose matrix products are replaced in place."""

    def __init__(self, graph: onnx.GraphProto, hidden_size: int) -> None:
        self._graph = graph
        self._weights = {
            weight.name: weight
            for weight in graph.initializer
            if len(weight.dims) == 2 and min(weight.dims) >= hidden_size
        }
        self._nodes: list[onnx.NodeProto] = []
        self._rounded: set[str] = set()

    def replace_products(self, product: Callable[[str, str, str], None]) -> None:
        """Replaces each product with a layer's matrix by the nodes that product(left, weight, result) adds."""
        for node in self._graph.node:
            if node.op_type == "MatMul" and node.input[1] in self._weights:
                product(node.input[0], node.input[1], node.output[0])
            else:
                self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        read = {name for node in self._nodes for name in node.input}
        kept = [weight for weight in self._graph.initializer if weight.name in read]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def with_int8_weight(self, left: str, weight: str, result: str) -> None:
        """OpenVINO's form: an int8 weight with its scales.

        For int8 the CPU plugin rounds the left side itself (DYNAMIC_QUANTIZATION_GROUP_SIZE) and multiplies integers.
        For w8 it multiplies floats, and keeps the weight in int8 all the same.
        """
        values, scales = self._int8(weight)
        if f"{weight}_float" not in self._rounded:
            self._rounded.add(f"{weight}_float")
            self._add("DequantizeLinear", [values, scales], f"{weight}_float", axis=1)
        self._add("MatMul", [left, f"{weight}_float"], result)

    def of_integers(self, left: str, weight: str, result: str) -> None:
        """ONNX Runtime's form: the left side rounded with a scale per token, a product of integers, both scales."""
        values, scales = self._int8(weight)
        greatest, rounded = f"{left}_greatest", f"{left}_int8"
        step, middle = self._constant("int8_step", np.float32(1 / _LARGEST)), self._constant("int8_0", np.uint8(128))
        if rounded not in self._rounded:
            self._rounded.add(rounded)
            self._add("Abs", [left], f"{left}_abs")
            self._add("ReduceMax", [f"{left}_abs", self._constant("last_axis", np.array([-1]))], f"{left}_max")
            self._add("Max", [f"{left}_max", self._constant("tiny", np.float32(1e-9))], greatest)  # no division by 0
            self._add("Div", [left, greatest], f"{left}_unit")
            self._add("QuantizeLinear", [f"{left}_unit", step, middle], rounded)
        inputs = [rounded, values, step, scales, middle]
        self._add("MatMulIntegerToFloat", inputs, f"{result}_unit", domain=CONTRIBUTED)
        self._add("Mul", [f"{result}_unit", greatest], result)

    def _int8(self, weight: str) -> tuple[str, str]:
        """Adds a matrix in int8 [K, N] and its scales float32 [N]. Returns their names."""
        matrix = numpy_helper.to_array(self._weights[weight])
        greatest = np.abs(matrix).max(axis=0)
        scales = np.where(greatest > 0, greatest, 1).astype(np.float32) / _LARGEST
        values = np.round(matrix / scales).astype(np.int8)
        return self._constant(f"{weight}_int8", values), self._constant(f"{weight}_scales", scales)

    def _constant(self, name: str, value: np.ndarray | np.generic) -> str:
        if all(one.name != name for one in self._graph.initializer):
            self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _add(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> None:
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
