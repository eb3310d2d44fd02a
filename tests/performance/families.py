"""Graphs of each encoder family against BERT's of the same size, by turns: `python tests/performance/families.py`.

Random weights compute as long as trained ones. Each family's trunk and pooled branch run the same batches in turn, in
one thread. The processor time of a call is compared with that of BERT's in the same turn: other work on the machine
disturbs that little. docs/experiments.md has what was measured.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.backends.espalier_backend.load_chain import load_chain
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.repository.names import hidden_name
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.runtime import Runtime
from training.encoder import Encoder
from training.encoders.architecture import Architecture
from training.encoders.network import Network
from training.model import new_branch

LAYERS = 4  # of which the branch has one
BATCH = 16
LENGTHS = {"16 tokens": (16, 16), "64 tokens": (64, 64), "128 tokens": (128, 128), "4 to 64 tokens": (4, 64)}
TURNS = 9
WIDTH = 384
BERT = Architecture(
    vocab_size=30522,
    hidden_size=WIDTH,
    num_attention_heads=12,
    intermediate_size=4 * WIDTH,
    hidden_act="gelu",
    layer_norm_eps=1e-12,
    max_position_embeddings=512,
    type_vocab_size=2,
)
_MODERN = {
    "type_vocab_size": 0,
    "position_table": False,
    "global_rotary_base": 160_000.0,
    "local_rotary_base": 10_000.0,
    "local_window": 64,
    "global_every": 3,
    "norm_first": True,
    "gated": True,
    "attention_bias": False,
    "feed_forward_bias": False,
    "norm_bias": False,
    "intermediate_size": 4 * WIDTH * 2 // 3,  # as many weights as BERT's; the published sizes have fewer
}
FAMILIES: dict[str, dict[str, object]] = {
    "BERT": {},
    "BERT again": {},  # what the measurement itself varies by
    "RoBERTa, DistilBERT": {"type_vocab_size": 0},
    "ELECTRA": {"embedding_size": 128},
    "MPNet": {"type_vocab_size": 0, "position_buckets": 32},
    "ModernBERT, last layer global": _MODERN,
    "ModernBERT, last layer local": {**_MODERN, "global_every": 2},
}


class Graphs:
    """The trunk and a pooled branch of one family, compiled for one thread."""

    def __init__(self, changes: dict[str, object], runtime: Runtime, folder: Path) -> None:
        architecture = BERT.model_copy(update={"family": folder.name, **changes})
        torch.manual_seed(0)
        network = Network(architecture, LAYERS, has_pooler=True).eval()
        encoder = Encoder("random", network, Tokenizer(models.WordLevel()))
        folder.mkdir()
        tap = LAYERS - 1
        export_trunk(encoder, [tap], folder / "trunk.onnx", runtime)
        export_branch(new_branch(encoder, tap, 2, per_token=False), folder / "branch.onnx", runtime)
        self._states = hidden_name(tap)
        self._trunk = _load(folder / "trunk.onnx", self._states, runtime)
        self._branch = _load(folder / "branch.onnx", "logits", runtime)

    def trunk(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        return self._trunk.run(batch, [self._states])[self._states]

    def branch(self, hidden: np.ndarray, mask: np.ndarray) -> None:
        self._branch.run({"hidden": hidden, "attention_mask": mask}, ["logits"])


def _load(file: Path, output: str, runtime: Runtime) -> Chain:
    threads = {"INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1", "intra_op_thread_count": "1"}
    segment = OpenVINOSegment if runtime is Runtime.OPENVINO else OnnxRuntimeSegment
    return load_chain(file, [output], parameters(runtime, Precision.FP32) | threads, segment)


def batch_of(least: int, most: int) -> dict[str, np.ndarray]:
    """BATCH sequences of `least` to `most` tokens, padded."""
    draw = np.random.default_rng(0)
    lengths = np.linspace(least, most, BATCH).astype(int)
    mask = (np.arange(most) < lengths[:, None]).astype(np.int64)
    ids = draw.integers(1000, 30000, (BATCH, most)) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def ratios(graphs: dict[str, Graphs], batch: dict[str, np.ndarray]) -> Iterator[tuple[str, float, float, float]]:
    """(family, seconds of its trunk, its trunk's and its branch's time as shares of BERT's), medians of the turns."""
    hidden = {name: one.trunk(batch) for name, one in graphs.items()}
    mask = batch["attention_mask"]
    for name, one in graphs.items():
        one.branch(hidden[name], mask)
    trunk: dict[str, list[float]] = {name: [] for name in graphs}
    branch: dict[str, list[float]] = {name: [] for name in graphs}
    for _ in range(TURNS):
        for name, one in graphs.items():
            trunk[name].append(_seconds(lambda one=one: one.trunk(batch)))
            branch[name].append(_seconds(lambda one=one, name=name: one.branch(hidden[name], mask)))
    for name in graphs:
        shares = [
            statistics.median(own / first for own, first in zip(times[name], times["BERT"], strict=True))
            for times in (trunk, branch)
        ]
        yield name, statistics.median(trunk[name]), *shares


def main() -> None:
    """Prints a table for each runtime."""
    for runtime in Runtime:
        with tempfile.TemporaryDirectory() as temporary:
            graphs = {name: Graphs(changes, runtime, Path(temporary, name)) for name, changes in FAMILIES.items()}
            for lengths, (least, most) in LENGTHS.items():
                for name, seconds, of_trunk, of_branch in ratios(graphs, batch_of(least, most)):
                    print(
                        f"{runtime}, {lengths}, {name}: trunk {1000 * seconds:.1f} ms, {of_trunk:.2f} of BERT's; "
                        f"branch {of_branch:.2f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
