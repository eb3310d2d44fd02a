"""The graphs of each encoder family beside BERT in less than float32."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_families import POSITIONS, TEXTS, WIDTH, save_family
from tokenizers import Tokenizer, models

from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.graph import Graph
from build_tools.precision.hardware import available_precisions
from build_tools.repository.names import hidden_name
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from training.batches import pad_tokens
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.encoders.architecture import Architecture
from training.encoders.families import FAMILIES
from training.encoders.network import Network
from training.model import new_branch
from training.tokenization import tokenize

EXAMPLES = [*(Example(text, "x") for text in TEXTS), Example("fly to rome", "x", "play rock, naïve 😀")]
TAPS = [1, 2]
HIDDEN = [hidden_name(tap) for tap in TAPS]
LONG = 700  # tokens
LOWER = {
    runtime: [one for one in available_precisions(Precision.AUTO, runtime) if one is not Precision.FP32]
    for runtime in Runtime
}
LOWER[Runtime.OPENVINO].append(Precision.W8)


@pytest.mark.parametrize("runtime", Runtime)
@pytest.mark.parametrize("family", [one for one in FAMILIES if one not in ("bert", "xlm-roberta")])
def test_trunk_and_branches_compute_nearly_what_they_do_in_float32(
    family: str, runtime: Runtime, tmp_path: Path
) -> None:
    encoder = load_encoder(str(save_family(family, tmp_path / "encoder")))
    tokens = {name: one.numpy() for name, one in pad_tokens(tokenize(encoder.tokenizer, EXAMPLES, POSITIONS)).items()}
    mask = tokens["attention_mask"]
    trunk = _graph(tmp_path / "trunk", HIDDEN, runtime, WIDTH)
    export_trunk(encoder, TAPS, trunk.file, runtime)
    exact = trunk.load().run(tokens, HIDDEN)
    branches = {}
    for per_token in (False, True):
        branches[per_token] = _graph(tmp_path / str(per_token), ["logits"], runtime, WIDTH)
        torch.manual_seed(1)
        export_branch(new_branch(encoder, 2, 3, per_token), branches[per_token].file, runtime)
    given = {"hidden": exact["hidden_2"], "attention_mask": mask}
    logits = {per_token: branch.load().run(given, ["logits"])["logits"] for per_token, branch in branches.items()}

    for precision in LOWER[runtime]:
        rounded = trunk.load(precision).run(tokens, HIDDEN)
        for name in HIDDEN:
            _check_close(rounded[name][mask > 0], exact[name][mask > 0])
        for per_token, branch in branches.items():
            seen = mask > 0 if per_token else slice(None)
            computed = branch.load(precision).run(given, ["logits"])["logits"]
            _check_close(computed[seen], logits[per_token][seen])


@pytest.mark.parametrize("precision", LOWER[Runtime.OPENVINO])
@pytest.mark.parametrize(
    "changes",
    [
        {"position_buckets": 32},
        {"norm_first": True, "gated": True, "global_rotary_base": 160_000.0, "position_table": False},
        {
            "norm_first": True,
            "global_rotary_base": 160_000.0,
            "local_rotary_base": 10_000.0,
            "local_window": 300,
            "global_every": 2,
        },
    ],
    ids=["relative", "rotary", "rotary and local"],
)
def test_positions_hold_in_long_texts(changes: dict[str, object], precision: Precision, tmp_path: Path) -> None:
    """Beyond 256 bf16 does not even have all whole numbers."""
    encoder = _long_encoder(changes)
    ids = np.random.default_rng(0).integers(0, 50, (1, LONG))
    tokens = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    trunk = _graph(tmp_path / "trunk", HIDDEN[:1], Runtime.OPENVINO, 128)
    export_trunk(encoder, TAPS[:1], trunk.file, Runtime.OPENVINO)
    branch = _graph(tmp_path / "branch", ["logits"], Runtime.OPENVINO, 128)
    torch.manual_seed(1)
    export_branch(new_branch(encoder, 1, 16, per_token=False), branch.file, Runtime.OPENVINO)

    exact = trunk.load().run(tokens, HIDDEN[:1])["hidden_1"]
    given = {"hidden": exact, "attention_mask": tokens["attention_mask"]}

    _check_close(trunk.load(precision).run(tokens, HIDDEN[:1])["hidden_1"], exact)
    logits = branch.load().run(given, ["logits"])["logits"]
    _check_close(branch.load(precision).run(given, ["logits"])["logits"], logits)


def _check_close(rounded: np.ndarray, exact: np.ndarray) -> None:
    """Rounded, and by no more than rounding."""
    assert 1e-5 < np.abs(rounded - exact).mean() / np.abs(exact).mean() < 0.04


def _graph(folder: Path, outputs: list[str], runtime: Runtime, hidden_size: int) -> Graph:
    folder.mkdir()
    return Graph(folder / "model.onnx", outputs, runtime, hidden_size)


def _long_encoder(changes: dict[str, object]) -> Encoder:
    """Two layers whose attention depends much on the positions."""
    given = {
        "vocab_size": 50,
        "hidden_size": 128,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": LONG,
        "type_vocab_size": 0,
        "initializer_range": 0.2,
    }
    architecture = Architecture.model_validate({"family": "long", **given, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(architecture, len(TAPS), has_pooler=True).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return Encoder("long", network, Tokenizer(models.WordLevel()))
