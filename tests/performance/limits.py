"""What the cores can do at most, and what two rewrites of the graphs would gain: `python tests/performance/limits.py`.

Prints, for OpenVINO in float32 on all cores: how fast weights are read and products computed, beside what a layer of
BERT-base reaches at several numbers of tokens; one product in place of several on the same input (the first layers of
branches on one tap); and short texts in one row with a block-diagonal mask in place of a batch of them. Each figure is
the least of several calls.
"""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import openvino
from openvino import opset13 as ops

HIDDEN, HEADS, INNER = 768, 12, 3072
LAYER_WEIGHTS = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER
CALLS = 30
COPIES = 12  # layers in turn, so that no weights stay in the cache
RANDOM = np.random.default_rng(0)


def least_seconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Of one call."""
    found = []
    for _ in range(calls):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return min(found)


def compiled(inputs: Sequence[openvino.Node], outputs: Sequence[openvino.Output]) -> Callable[[dict], object]:
    """A graph that runs as the served ones do."""
    model = openvino.Model(list(outputs), list(inputs))
    ready = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = ready.create_infer_request()
    return lambda feeds: request.infer(feeds, share_inputs=True, share_outputs=True)


def weights(*shape: int) -> openvino.Node:
    return ops.constant(RANDOM.standard_normal(shape, dtype=np.float32) * 0.02)


def product(rows: openvino.Node, out: int) -> openvino.Output:
    return ops.matmul(rows, weights(HIDDEN, out), False, False).output(0)


def layer(hidden: openvino.Output, mask: openvino.Output, rows: int, tokens: int) -> openvino.Output:
    """One layer of BERT-base without biases and norms. hidden: [rows, tokens, 768]; mask: [rows, 1, tokens, tokens]."""

    def heads(out: openvino.Output) -> openvino.Node:
        split = ops.reshape(out, ops.constant([rows, tokens, HEADS, HIDDEN // HEADS]), False)
        return ops.transpose(split, ops.constant([0, 2, 1, 3]))

    query, keys, values = (heads(product(hidden, HIDDEN)) for _ in range(3))
    scores = ops.multiply(ops.matmul(query, keys, False, True), ops.constant(np.float32(0.125)))
    attention = ops.softmax(ops.add(scores, mask), 3)
    mixed = ops.transpose(ops.matmul(attention, values, False, False), ops.constant([0, 2, 1, 3]))
    after = product(ops.reshape(mixed, ops.constant([rows, tokens, HIDDEN]), False), HIDDEN)
    inner = ops.gelu(product(after, INNER), "erf")
    return ops.matmul(inner, weights(INNER, HIDDEN), False, False).output(0)


def layers_seconds(rows: int, tokens: int, mask: np.ndarray) -> float:
    """Of one layer, of COPIES in turn."""
    hidden = ops.parameter([rows, tokens, HIDDEN], np.float32)
    bias = ops.parameter(list(mask.shape), np.float32)
    last = hidden.output(0)
    for _ in range(COPIES):
        last = layer(last, bias.output(0), rows, tokens)
    run = compiled([hidden, bias], [last])
    feeds = {0: RANDOM.standard_normal((rows, tokens, HIDDEN), dtype=np.float32), 1: mask}
    return least_seconds(lambda: run(feeds)) / COPIES


def print_limits() -> None:
    """Bandwidth and GFLOP/s at most, and those of a layer."""
    memory = np.ones(2**27, np.float32)  # 0.5 GB
    print(f"weights are read at {memory.nbytes / least_seconds(memory.sum, 5) / 1e9:.1f} GB/s by one core")
    square = ops.parameter([4096, HIDDEN], np.float32)
    run = compiled([square], [product(square, 4 * HIDDEN)])
    feeds = {0: RANDOM.standard_normal((4096, HIDDEN), dtype=np.float32)}
    flops = 2 * 4096 * HIDDEN * 4 * HIDDEN
    print(f"a large product: {flops / least_seconds(lambda: run(feeds)) / 1e9:.0f} GFLOP/s")
    print("| texts of 16 tokens | ms a layer | GFLOP/s | weights, GB/s |\n| ---: | ---: | ---: | ---: |")
    for texts in (1, 2, 4, 8, 16, 32):
        seconds = layers_seconds(texts, 16, np.zeros((texts, 1, 16, 16), np.float32))
        rate = 2 * texts * 16 * LAYER_WEIGHTS / seconds / 1e9
        print(f"| {texts} | {seconds * 1e3:.2f} | {rate:.0f} | {4 * LAYER_WEIGHTS / seconds / 1e9:.1f} |")


def print_stacked() -> None:
    """Queries, keys and values of several branches' first layers: products apart, and one."""
    print("| tokens | 7 branches, 21 products | one product | ratio |\n| ---: | ---: | ---: | ---: |")
    for tokens in (16, 128, 512):
        taken = []
        for widths in ([HIDDEN] * 21, [21 * HIDDEN]):
            hidden = ops.parameter([tokens, HIDDEN], np.float32)
            outputs = [product(hidden, width) for width in widths]
            if len(widths) == 1:
                outputs = list(ops.split(outputs[0], ops.constant(1), 21).outputs())
            run = compiled([hidden], outputs)
            feeds = {0: RANDOM.standard_normal((tokens, HIDDEN), dtype=np.float32)}
            taken.append(least_seconds(lambda run=run, feeds=feeds: run(feeds)))
        print(f"| {tokens} | {taken[0] * 1e3:.2f} ms | {taken[1] * 1e3:.2f} ms | {taken[1] / taken[0]:.2f} |")


def print_packed() -> None:
    """Texts of mixed lengths padded to the longest, and the same in one row, each seeing itself alone."""
    print("| lengths | padded batch | one row | ratio |\n| --- | ---: | ---: | ---: |")
    for lengths in ([16] * 8, [8, 10, 12, 13, 14, 15, 16, 16], [4, 6, 8, 12, 16, 20, 28, 34]):
        longest, total = max(lengths), sum(lengths)
        padded = layers_seconds(len(lengths), longest, np.zeros((len(lengths), 1, longest, longest), np.float32))
        mask = np.full((1, 1, total, total), -1e4, np.float32)
        for start, end in pairwise(np.cumsum([0, *lengths])):
            mask[..., start:end, start:end] = 0
        packed = layers_seconds(1, total, mask)
        names = ", ".join(map(str, lengths))
        print(f"| {names} | {padded * 1e3:.2f} ms | {packed * 1e3:.2f} ms | {packed / padded:.2f} |")


if __name__ == "__main__":
    for part in (print_limits, print_stacked, print_packed):
        part()
        print()
