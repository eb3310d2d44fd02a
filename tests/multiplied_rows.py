"""What a graph multiplies: padding must not be among it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def rows_multiplied(file: Path, given: Mapping[str, np.ndarray]) -> list[int]:
    """How many rows each matrix of a layer is multiplied with, in the order of computation.

    given: the graph's inputs. A matrix of a layer has a side of at least 16.
    """
    model = onnx.load(file)
    layers = {weight.name for weight in model.graph.initializer if len(weight.dims) == 2 and max(weight.dims) >= 16}
    read = [node.input[0] for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in layers]
    names = list(dict.fromkeys(read))
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in names)
    onnx.save(model, file.with_name("all.onnx"))
    session = onnxruntime.InferenceSession(file.with_name("all.onnx"), providers=["CPUExecutionProvider"])
    values = dict(zip(names, session.run(names, given), strict=True))
    return [values[name].size // values[name].shape[-1] for name in read]
