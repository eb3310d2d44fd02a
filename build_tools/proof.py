"""The proof that an exported graph computes what PyTorch computed, in the runtime that will serve it."""

from pathlib import Path

import numpy as np

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.backends.espalier_backend.load_chain import Compile, load_chain
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.errors import BuildError
from build_tools.names import hidden_name
from build_tools.runtime import Runtime
from training.batches import pad_tokens
from training.checkpoint import Checkpoint
from training.data import Example
from training.kinds import Kind
from training.tokenization import tokenize

TOLERANCE = 1e-3  # of a logit, float32
COMPILE: dict[Runtime, Compile] = {Runtime.OPENVINO: OpenVINOSegment, Runtime.ONNXRUNTIME: OnnxRuntimeSegment}


def load_graph(path: Path, outputs: list[str], runtime: Runtime) -> Chain:
    """The graph as our backend of that runtime loads it: cut at its outputs, with the config's parameters."""
    return load_chain(path, outputs, runtime.parameters, COMPILE[runtime])


def prove_equal(checkpoint: Checkpoint, trunk: Chain, branch: Chain) -> float:
    """Runs the golden examples through the exported trunk and branch, as one padded batch.

    Returns the greatest difference of a logit. Raises BuildError, naming task, example and difference, where a logit
    differs by more than 1e-3.
    """
    record, golden = checkpoint.record, checkpoint.golden
    examples = [Example(row["text"], "", row.get("text_pair")) for row in golden]
    tokens = tokenize(checkpoint.tokenizer, examples, record.max_length)
    arrays = {name: tensor.numpy() for name, tensor in pad_tokens(tokens).items()}
    tapped = hidden_name(record.tap)
    hidden = trunk.run(arrays, [tapped])[tapped]
    logits = branch.run({"hidden": hidden, "attention_mask": arrays["attention_mask"]}, ["logits"])["logits"]
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
