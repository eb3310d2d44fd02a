"""Trunk and branches of each family through ONNX, in both runtimes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from multiplied_rows import rows_multiplied
from tiny_families import POSITIONS, TEXTS, save_family

from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.graph import load_graph
from build_tools.repository.names import hidden_name
from build_tools.repository.runtime import Runtime
from training.batches import pad_tokens
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.encoders.families import FAMILIES
from training.model import Branch, Trunk, new_branch
from training.tokenization import tokenize

TOLERANCE = 1e-3
EXAMPLES = [*(Example(text, "x") for text in TEXTS), Example("fly to rome", "x", "play rock, naïve 😀")]
TAPS = [1, 2]


@pytest.fixture(scope="module", params=[one for one in FAMILIES if one not in ("bert", "xlm-roberta")])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Of each family with a graph of its own: BERT has tests enough, and XLM-R is RoBERTa with another tokenizer."""
    return load_encoder(str(save_family(request.param, tmp_path_factory.mktemp(request.param))))


@pytest.mark.parametrize("runtime", Runtime)
def test_graphs_compute_what_pytorch_does_for_singles_and_pairs(
    encoder: Encoder, runtime: Runtime, tmp_path: Path
) -> None:
    inputs = pad_tokens(tokenize(encoder.tokenizer, EXAMPLES, POSITIONS))
    seen = inputs["attention_mask"].numpy() > 0
    with torch.no_grad():
        expected = Trunk(encoder, TAPS)(**inputs)

    export_trunk(encoder, TAPS, tmp_path / "trunk.onnx", runtime)
    names = [hidden_name(tap) for tap in TAPS]
    trunk = load_graph(tmp_path / "trunk.onnx", names, runtime)
    computed = trunk.run({name: tensor.numpy() for name, tensor in inputs.items()}, names)

    assert len(trunk._segments) == len(TAPS)  # a request for the lower tap stops there
    for name, hidden in zip(names, expected, strict=True):
        np.testing.assert_allclose(computed[name][seen], hidden.numpy()[seen], atol=TOLERANCE)
    for per_token in (False, True):
        # Two layers, of which a pooler's first computes all tokens and its last only the first one.
        branch = _branch(encoder, per_token)
        export_branch(branch, tmp_path / f"{per_token}.onnx", runtime)
        graph = load_graph(tmp_path / f"{per_token}.onnx", ["logits"], runtime)
        given = {"hidden": computed["hidden_2"], "attention_mask": inputs["attention_mask"].numpy()}
        logits = graph.run(given, ["logits"])["logits"]
        # All but the head of a tagging task, which runs on padded rows.
        assert max(rows_multiplied(tmp_path / f"{per_token}.onnx", given)[:-1]) == seen.sum()
        with torch.no_grad():
            wanted = branch(expected[1], inputs["attention_mask"]).numpy()
        places = seen if per_token else slice(None)
        np.testing.assert_allclose(logits[places], wanted[places], atol=TOLERANCE)
        assert np.abs(wanted).max() > 0.1


def _branch(encoder: Encoder, per_token: bool) -> Branch:
    torch.manual_seed(1)
    branch = new_branch(encoder, 2, 3, per_token).eval()
    torch.nn.init.normal_(branch.classifier.weight)
    return branch
