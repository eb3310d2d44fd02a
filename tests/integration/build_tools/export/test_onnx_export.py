import logging

import numpy as np
import onnx
import pytest
import torch
from multiplied_rows import rows_multiplied

from build_tools.export import onnx_export as export
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.load_graph import load_graph
from build_tools.repository.names import TRUNK_INPUTS, hidden_name
from build_tools.repository.runtime import Runtime
from training.model import Branch, Trunk

TAPS = [1, 3]
HIDDEN = [hidden_name(tap) for tap in TAPS]
# B x T, none of them the exporter's own 2 x 8; the encoder has 64 positions.
SHAPES = [(1, 1), (1, 8), (3, 5), (2, 64)]


@pytest.fixture(scope="module")
def trunk_file(encoder, tmp_path_factory):
    file = tmp_path_factory.mktemp("trunk") / "model.onnx"
    export_trunk(encoder, TAPS, file, Runtime.OPENVINO)
    return file


@pytest.fixture(scope="module", params=[False, True], ids=["pooled", "per_token"])
def branch(request, encoder):
    torch.manual_seed(1)
    return Branch(encoder.architecture, 2, 1, 3, per_token=request.param)


@pytest.fixture(scope="module")
def branch_file(branch, tmp_path_factory):
    file = tmp_path_factory.mktemp("branch") / "model.onnx"
    export_branch(branch, file, Runtime.OPENVINO)
    return file


def _tokens(batch, length):
    """Random texts and types; all but the first row end in padding, as far as there is room."""
    generator = torch.Generator().manual_seed(batch * 100 + length)
    ids = torch.randint(1, 9, (batch, length), generator=generator)
    types = torch.randint(0, 2, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[1:, max(1, length // 2) :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types}


def _check_branch(branch, file, runtime, hidden, mask):
    with torch.no_grad():
        expected = branch.eval()(hidden, mask).numpy()

    chain = load_graph(file, ["logits"], runtime)
    computed = chain.run({"hidden": hidden.numpy(), "attention_mask": mask.numpy()}, ["logits"])["logits"]

    assert computed.shape == expected.shape
    seen = mask.numpy() > 0 if branch.pooler is None else slice(None)  # what stands at padding means nothing
    np.testing.assert_allclose(computed[seen], expected[seen], atol=1e-4)


@pytest.mark.parametrize("runtime", Runtime)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_exported_trunk_computes_every_tap_for_any_batch_and_length(encoder, trunk_file, runtime, shape):
    tokens = _tokens(*shape)
    with torch.no_grad():
        expected = Trunk(encoder, TAPS)(**tokens)

    computed = load_graph(trunk_file, HIDDEN, runtime).run({name: one.numpy() for name, one in tokens.items()}, HIDDEN)

    assert list(computed) == HIDDEN
    seen = tokens["attention_mask"].numpy() > 0  # what stands at padding means nothing
    for name, hidden in zip(HIDDEN, expected, strict=True):
        assert computed[name].shape == hidden.shape
        np.testing.assert_allclose(computed[name][seen], hidden.numpy()[seen], atol=1e-4)


@pytest.mark.parametrize("runtime", Runtime)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_exported_branch_computes_logits_for_any_batch_and_length(branch, branch_file, runtime, shape):
    mask = _tokens(*shape)["attention_mask"]
    hidden = torch.randn(*shape, 16, generator=torch.Generator().manual_seed(5))
    _check_branch(branch, branch_file, runtime, hidden, mask)


@pytest.mark.parametrize("runtime", Runtime)
def test_padding_changes_neither_hidden_states_nor_logits(trunk_file, branch_file, branch, runtime):
    trunk, graph = load_graph(trunk_file, HIDDEN, runtime), load_graph(branch_file, ["logits"], runtime)

    def logits(tokens):
        arrays = {name: one.numpy() for name, one in tokens.items()}
        hidden = trunk.run(arrays, ["hidden_3"])["hidden_3"]
        return graph.run({"hidden": hidden, "attention_mask": arrays["attention_mask"]}, ["logits"])["logits"]

    bare = _tokens(1, 5)
    padded = {name: torch.nn.functional.pad(one, (0, 11)) for name, one in bare.items()}
    without, with_padding = logits(bare), logits(padded)
    if branch.pooler is None:
        with_padding = with_padding[:, :5]
    np.testing.assert_allclose(with_padding, without, atol=1e-4)


@pytest.mark.parametrize("runtime", Runtime)
def test_masks_with_holes_and_rows_without_a_token_are_computed_too(encoder, runtime, tmp_path):
    """No tokenizer makes them; whoever asks a model of its own over KServe may."""
    torch.manual_seed(1)
    branch = Branch(encoder.architecture, 2, 2, 3, per_token=True)
    export_branch(branch, tmp_path / "model.onnx", runtime)
    hidden = torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(5))
    _check_branch(branch, tmp_path / "model.onnx", runtime, hidden, torch.tensor([[1, 0, 1, 0], [1] * 4, [1, 0, 0, 1]]))

    given = {"hidden": hidden.numpy(), "attention_mask": np.zeros((3, 4), np.int64)}
    computed = load_graph(tmp_path / "model.onnx", ["logits"], runtime).run(given, ["logits"])["logits"]
    assert computed.shape == (3, 4, 3)
    assert np.isfinite(computed).all()


@pytest.mark.parametrize("runtime", Runtime)
def test_neither_padding_nor_what_the_pooler_does_not_read_is_multiplied(encoder, runtime, tmp_path):
    mask = np.array([[1] * 8, [1] * 3 + [0] * 5, [1] * 2 + [0] * 6])
    given = {"hidden": np.ones((3, 8, 16), np.float32), "attention_mask": mask}
    rows = {}
    for per_token in (True, False):
        export_branch(Branch(encoder.architecture, 2, 2, 3, per_token), tmp_path / "model.onnx", runtime)
        rows[per_token] = rows_multiplied(tmp_path / "model.onnx", given)

    assert rows[True] == [13] * 8 + [24]  # tokens: 8 + 3 + 2; four products in each of two layers, and the head
    # The last layer for three texts alone: query, what stands for keys and values for each of two heads, and the rest.
    assert rows[False] == [13] * 4 + [3] + [3] * 4 + [3] * 3


def test_the_trunk_is_cut_at_its_deepest_tap(encoder, trunk_file, tmp_path):
    shallow = tmp_path / "model.onnx"
    export_trunk(encoder, [1], shallow, Runtime.OPENVINO)

    matrices = [
        sum(weight.dims == [16, 32] for weight in onnx.load(file).graph.initializer) for file in (shallow, trunk_file)
    ]
    assert matrices == [1, 3]  # one feed-forward matrix of width 16 x 32 in each layer
    assert [output.name for output in onnx.load(shallow).graph.output] == ["hidden_1"]


def test_inputs_and_outputs_have_the_names_and_free_dimensions_of_the_config(trunk_file, branch_file):
    def free(values):
        return {value.name: [dim.dim_param != "" for dim in value.type.tensor_type.shape.dim][:2] for value in values}

    trunk, branch = onnx.load(trunk_file).graph, onnx.load(branch_file).graph
    assert free(trunk.input) == {name: [True, True] for name in TRUNK_INPUTS}
    assert free(trunk.output) == {name: [True, True] for name in HIDDEN}
    assert free(branch.input) == {"hidden": [True, True], "attention_mask": [True, True]}
    assert [output.name for output in branch.output] == ["logits"]


def test_a_graph_is_one_file_with_its_weights(trunk_file, branch_file):
    for file in (trunk_file, branch_file):
        assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("runtime", Runtime)
def test_branches_that_differ_in_nothing_else_have_each_its_own_weights(encoder, tmp_path, runtime):
    hidden, mask = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(5)), torch.ones(2, 5, dtype=torch.long)
    for seed in (2, 3):
        torch.manual_seed(seed)
        branch = Branch(encoder.architecture, 2, 1, 4, per_token=False).eval()
        export_branch(branch, tmp_path / f"{seed}.onnx", runtime)
        _check_branch(branch, tmp_path / f"{seed}.onnx", runtime, hidden, mask)


def test_branches_of_other_heads_of_attention_are_traced_each_for_itself(encoder, tmp_path):
    """They have weights of the same shapes."""
    hidden, mask = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(5)), torch.ones(2, 5, dtype=torch.long)
    for heads in (2, 4):
        torch.manual_seed(2)
        branch = Branch(encoder.architecture.model_copy(update={"num_attention_heads": heads}), 2, 1, 4, False).eval()
        export_branch(branch, tmp_path / f"{heads}.onnx", Runtime.OPENVINO)
        _check_branch(branch, tmp_path / f"{heads}.onnx", Runtime.OPENVINO, hidden, mask)


@pytest.mark.parametrize("runtime", Runtime)
def test_another_process_writes_the_same_file_without_tracing(encoder, runtime, graph_cache, tmp_path, monkeypatch):
    branch = Branch(encoder.architecture, 2, 1, 3, per_token=False)
    exports = {
        "trunk": lambda file: export_trunk(encoder, TAPS, file, runtime),
        "branch": lambda file: export_branch(branch, file, runtime),
    }
    for name, write in exports.items():
        write(tmp_path / f"{name}.onnx")
    graph_cache.new_process()
    monkeypatch.setattr(export, "_trace", lambda *_: pytest.fail("traced again"))
    for name, write in exports.items():
        write(tmp_path / "again.onnx")
        assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / f"{name}.onnx").read_bytes()


@pytest.mark.usefixtures("graph_cache")
def test_an_export_that_fails_gives_the_exporters_log_back_its_level(encoder, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no exporter today")

    monkeypatch.setattr(torch.onnx, "export", fail)
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with pytest.raises(OSError, match="no exporter today"):
            export_trunk(encoder, [2], tmp_path / "model.onnx", Runtime.OPENVINO)
        assert log.level == logging.WARNING
    finally:
        log.setLevel(level)
