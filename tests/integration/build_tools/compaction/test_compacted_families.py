"""One graph of a trunk of each encoder family beside BERT and the branches on it."""

from pathlib import Path

import numpy as np
import pytest
from tiny_families import POSITIONS, save_family
from untrained import save_untrained

from build_tools.backends.espalier_backend.fused_graph import ASKED
from build_tools.backends.espalier_backend.fused_layout import FusedLayout
from build_tools.build.builder import build
from build_tools.precision.load_graph import load_fused
from build_tools.repository.golden_examples import read_golden
from build_tools.repository.names import logits_name
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from training.encoder import load_encoder
from training.kinds import Kind


@pytest.mark.parametrize(
    ("family", "runtime"),
    [
        ("roberta", Runtime.OPENVINO),
        ("distilbert", Runtime.ONNXRUNTIME),
        ("electra", Runtime.OPENVINO),
        ("mpnet", Runtime.OPENVINO),
        ("mpnet", Runtime.ONNXRUNTIME),
        ("modernbert", Runtime.OPENVINO),
        ("modernbert", Runtime.ONNXRUNTIME),
    ],
)
def test_rows_of_both_branches_are_answered_by_the_fused_graph_as_by_each_alone(
    family: str, runtime: Runtime, tmp_path: Path
) -> None:
    encoder = load_encoder(str(save_family(family, tmp_path / "encoder")))
    tasks = {
        "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x", "I-x"), "tap": 1, "layers": 2},
        "same": {"kind": Kind.PAIR_CLASSIFICATION, "tap": 2, "layers": 1},  # its only layer is of the first token
    }
    folders = [
        save_untrained(tmp_path / task, encoder, task, max_length=POSITIONS, **one) for task, one in tasks.items()
    ]
    repository = tmp_path / "repository"

    build(folders, repository, runtime=runtime, compacted=True)

    fused = read_registry(repository).trunks["trunk"].fused
    assert fused is not None
    assert fused.tasks == dict.fromkeys(tasks, 1)
    graph = load_fused(
        repository / fused.model / str(fused.version),
        FusedLayout((1, 2), {"slots": 1, "same": 2}),
        runtime,
        parameters(runtime, Precision.FP32),
        encoder.architecture.hidden_size,
    )
    for task in tasks:
        golden = read_golden(repository / f"branch_{task}" / "1")
        assert golden is not None
        rows = np.arange(len(golden.logits)) % 2 == 0  # the others want the other task
        asked = np.zeros((len(rows), 4), bool)  # columns: same, slots, hidden_1, hidden_2
        asked[rows, sorted(tasks).index(task)] = asked[~rows, 1 - sorted(tasks).index(task)] = True
        name = logits_name(task)
        logits = graph.run({**golden.inputs, ASKED: asked}, [name])[name]
        expected = golden.logits[rows]
        seen = golden.inputs["attention_mask"][rows] > 0 if expected.ndim == 3 else slice(None)
        np.testing.assert_allclose(logits[seen], expected[seen], atol=1e-3)
