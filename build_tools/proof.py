"""The proof that an exported graph computes what PyTorch computed, in the runtime that will serve it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from build_tools.backends.espalier_backend.chain import Segment
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.errors import BuildError
from build_tools.export import hidden_name
from training.batches import make_batch
from training.checkpoint import Checkpoint
from training.data import Example
from training.kinds import Kind
from training.tokenization import tokenize

TOLERANCE = 1e-3  # of a logit, float32
RUNTIMES: dict[str, Callable[[Path, list[str], Mapping[str, str]], Segment]] = {
    "openvino": OpenVINOSegment,
    "onnxruntime": OnnxRuntimeSegment,
}


def load_graph(path: Path, outputs: list[str], runtime: str, parameters: Mapping[str, str]) -> Segment:
    """The graph as the backend of that runtime loads it."""
    return RUNTIMES[runtime](path, outputs, parameters)


def prove_equal(checkpoint: Checkpoint, trunk: Segment, branch: Segment) -> float:
    """Runs the golden examples through the exported trunk and branch, as one padded batch.

    Returns the greatest difference of a logit. Raises BuildError, naming task, example and difference, where a logit
    differs by more than 1e-3.
    """
    record, golden = checkpoint.record, checkpoint.golden
    examples = [Example(row["text"], "", row.get("text_pair")) for row in golden]
    tokens = tokenize(checkpoint.tokenizer, examples, record.max_length)
    batch = make_batch(tokens, [0] * len(tokens), Kind.CLASSIFICATION)  # the targets are not looked at
    arrays = {name: getattr(batch, name).numpy() for name in ("input_ids", "attention_mask", "token_type_ids")}
    hidden = trunk(arrays)[hidden_name(record.tap)]
    logits = branch({"hidden": hidden, "attention_mask": arrays["attention_mask"]})["logits"]
    greatest = 0.0
    for number, (row, one, computed) in enumerate(zip(golden, tokens, logits, strict=True), start=1):
        expected = np.array(row["logits"], dtype=np.float32)
        if record.kind is Kind.TAGGING:
            computed = computed[: len(one.ids)]
        difference = _difference(expected, computed)
        if not difference <= TOLERANCE:
            raise BuildError(
                f"the exported graph of {record.task} does not compute what PyTorch did: golden example {number} "
                f"({row['text'][:60]!r}) differs by {difference:.2g}, allowed are {TOLERANCE:g}. "
                "Nothing was put in place."
            )
        greatest = max(greatest, difference)
    return greatest


def _difference(expected: np.ndarray, computed: np.ndarray) -> float:
    """The greatest difference of a logit; infinite if the shapes differ or a logit is no number."""
    if expected.shape != computed.shape:
        return float("inf")
    difference = np.abs(expected - computed)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")
