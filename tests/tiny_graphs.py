"""A tiny trunk with three taps and branches on it, of the shape of our exporter's graphs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, WORDS, TAPS = 32, 50, (1, 2, 3)
TASKS = {"b.intent": 2, "a_slots": 1, "c-domain": 3, "d": 2}  # their taps
TAGGING = "a_slots"


def texts(rows: int, length: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Token ids of texts of many lengths, padded to the longest."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, length + 1, rows)
    lengths[0] = length
    mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
    return {
        "input_ids": rng.integers(1, WORDS, (rows, length)) * mask,
        "attention_mask": mask,
        "token_type_ids": rng.integers(0, 2, (rows, length)) * mask,
    }


def _values(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) / 4


def _mask_nodes() -> list[onnx.NodeProto]:
    """0 for tokens and -1e4 for padding, [B, 1, T]; the same in trunk and branches."""
    return [
        helper.make_node("Unsqueeze", ["attention_mask", "one_axis"], ["mask_3d"]),
        helper.make_node("Cast", ["mask_3d"], ["mask_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["mask_float", "one"], ["mask_less"]),
        helper.make_node("Mul", ["mask_less", "far"], ["bias"]),
    ]


def _mask_weights() -> list[TensorProto]:
    return [
        numpy_helper.from_array(np.array([1]), "one_axis"),
        numpy_helper.from_array(np.float32(1), "one"),
        numpy_helper.from_array(np.float32(1e4), "far"),
    ]


def _layer(source: str, target: str, shape: str, name: str, seed: int) -> tuple[list[onnx.NodeProto], TensorProto]:
    """Attention of every token to all tokens, then a product. `shape` is used as the exporter uses shapes."""
    nodes = [
        helper.make_node("Transpose", [source], [f"{name}_t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", [source, f"{name}_t"], [f"{name}_scores"]),
        helper.make_node("Add", [f"{name}_scores", "bias"], [f"{name}_masked"]),
        helper.make_node("Softmax", [f"{name}_masked"], [f"{name}_shares"], axis=-1),
        helper.make_node("MatMul", [f"{name}_shares", source], [f"{name}_mixed"]),
        helper.make_node("MatMul", [f"{name}_mixed", f"{name}_weight"], [f"{name}_product"]),
        helper.make_node("Tanh", [f"{name}_product"], [f"{name}_tanh"]),
        helper.make_node("Concat", [shape, "width"], [f"{name}_size"], axis=0),
        helper.make_node("Reshape", [f"{name}_tanh", f"{name}_size"], [target], allowzero=1),
    ]
    return nodes, numpy_helper.from_array(_values(WIDTH, WIDTH, seed=seed), f"{name}_weight")


def make_trunk() -> onnx.ModelProto:
    weights = [
        *_mask_weights(),
        numpy_helper.from_array(_values(WORDS, WIDTH, seed=1), "words"),
        numpy_helper.from_array(_values(2, WIDTH, seed=2), "types"),
        numpy_helper.from_array(np.array([WIDTH]), "width"),
    ]
    nodes = [
        helper.make_node("Shape", ["token_type_ids"], ["shape"]),
        helper.make_node("Gather", ["words", "input_ids"], ["word"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["type"]),
        helper.make_node("Add", ["word", "type"], ["hidden_0"]),
        *_mask_nodes(),
    ]
    for tap in TAPS:
        layer, weight = _layer(f"hidden_{tap - 1}", f"hidden_{tap}", "shape", f"layer_{tap}", seed=tap)
        nodes += layer
        weights.append(weight)
    inputs = [_tokens(name) for name in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [_floats(f"hidden_{tap}", "batch", "length", WIDTH) for tap in TAPS]
    return _model(nodes, inputs, outputs, weights)


def make_branch(seed: int, per_token: bool = False) -> onnx.ModelProto:
    """hidden, attention_mask -> logits [B, 3], or [B, T, 3]."""
    layer, weight = _layer("hidden", "states", "shape", "own", seed=10 + seed)
    nodes = [helper.make_node("Shape", ["attention_mask"], ["shape"]), *_mask_nodes(), *layer]
    weights = [
        *_mask_weights(),
        weight,
        numpy_helper.from_array(np.array([WIDTH]), "width"),
        numpy_helper.from_array(_values(WIDTH, 3, seed=20 + seed), "head"),
        numpy_helper.from_array(np.array(0), "first"),
    ]
    if not per_token:
        nodes.append(helper.make_node("Gather", ["states", "first"], ["pooled"], axis=1))
    nodes.append(helper.make_node("MatMul", ["states" if per_token else "pooled", "head"], ["logits"]))
    shape = ("batch", "length", 3) if per_token else ("batch", 3)
    inputs = [_floats("hidden", "batch", "length", WIDTH), _tokens("attention_mask")]
    return _model(nodes, inputs, [_floats("logits", *shape)], weights)


def _tokens(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])


def _floats(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(nodes, inputs, outputs, weights) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
