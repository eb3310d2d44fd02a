"""With Triton's own module replaced: what the stub would hand over and take back."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_backend_utils import Request, backend_utils
from tiny_graphs import TAPS, WIDTH, make_branch, make_trunk, texts

from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.compaction.fused_files import write_fused
from build_tools.compaction.merged_graph import MergedBranch
from build_tools.repository.manifest import write_manifest


@pytest.fixture
def model_class(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend_utils())
    module = importlib.import_module("build_tools.backends.espalier_backend.triton_model")
    yield type("TritonPythonModel", (module.OnnxModel,), {"compile_segment": OnnxRuntimeSegment})
    del sys.modules[module.__name__]


def _arguments(folder: Path, file: str = "model.onnx", layers: tuple[int, ...] = (1, 2, 3)) -> dict[str, str]:
    config = {
        "default_model_filename": file,
        "input": [
            {"name": "ids", "data_type": "TYPE_INT64", "dims": ["-1"]},
            {"name": "attention_mask", "data_type": "TYPE_INT64", "dims": ["-1", "1"]},
            {"name": "hidden_1", "data_type": "TYPE_FP32", "dims": ["-1", "8"]},
        ],
        "output": [{"name": f"hidden_{layer}"} for layer in layers],
        "parameters": {"intra_op_thread_count": {"string_value": "1"}},
    }
    return {
        "model_config": json.dumps(config),
        "model_repository": str(folder.parent),
        "model_version": folder.name,
        "model_name": "trunk",
    }


@pytest.fixture
def model(model_class, trunk_file):
    model = model_class()
    model.initialize(_arguments(trunk_file.parent))
    return model


def _counts(model) -> dict[str, int]:
    return {output: count for (_, _, output), count in model._family.counts.items()}


def test_only_the_outputs_asked_for_are_answered_and_none_above_them_is_computed(model, tensors):
    (response,) = model.execute([Request(tensors, ["hidden_2"])])

    assert response.error is None
    assert list(response.outputs) == ["hidden_2"]
    assert _counts(model) == {"hidden_1": 1, "hidden_2": 1, "hidden_3": 0}


def test_given_the_hidden_states_of_a_lower_tap_it_goes_on_to_the_same_result_and_does_not_compute_them_again(
    model, tensors
):
    (whole,) = model.execute([Request(tensors, ["hidden_1", "hidden_3"])])

    (response,) = model.execute([Request(tensors | {"hidden_1": whole.outputs["hidden_1"]}, ["hidden_3"])])

    np.testing.assert_array_equal(response.outputs["hidden_3"], whole.outputs["hidden_3"])
    assert _counts(model) == {"hidden_1": 1, "hidden_2": 2, "hidden_3": 2}


def test_a_model_of_one_output_is_not_counted_since_triton_counts_its_executions(model_class, trunk_file, tensors):
    model = model_class()
    model.initialize(_arguments(trunk_file.parent, layers=(3,)))

    (response,) = model.execute([Request(tensors, ["hidden_3"])])

    assert list(response.outputs) == ["hidden_3"]
    assert _counts(model) == {}


@pytest.mark.parametrize(("chosen", "parameters"), [("3", ("3", "3")), (None, (None, "1"))])
def test_the_number_of_threads_that_serve_chose_goes_before_the_config_s(
    model_class, trunk_file, monkeypatch, chosen, parameters
):
    monkeypatch.delenv("ESPALIER_TRUNK_THREADS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ESPALIER_TRUNK_THREADS", chosen)
        monkeypatch.setenv("ESPALIER_THREADS", "7")  # the branches'
    seen = []

    def compile_segment(file, outputs, given):
        seen.append((given.get("INFERENCE_NUM_THREADS"), given.get("intra_op_thread_count")))
        return OnnxRuntimeSegment(file, outputs, given)

    model_class.compile_segment = staticmethod(compile_segment)
    model_class().initialize(_arguments(trunk_file.parent))

    assert set(seen) == {parameters}


def test_an_exception_is_the_error_of_its_own_request_only(model, tensors):
    bad = Request({"ids": np.array([99, 99, 99, 99]), "attention_mask": tensors["attention_mask"]}, ["hidden_3"])
    good = Request(tensors, ["hidden_3"])

    before, failed, after = model.execute([good, bad, good])

    assert "hidden_0" in failed.error or "Gather" in failed.error
    assert (before.error, after.error) == (None, None)
    np.testing.assert_array_equal(before.outputs["hidden_3"], after.outputs["hidden_3"])
    assert _counts(model) == {"hidden_1": 2, "hidden_2": 2, "hidden_3": 2}


def test_a_missing_model_file_is_named(model_class, tmp_path):
    with pytest.raises(RuntimeError, match=r"other\.onnx"):
        model_class().initialize(_arguments(tmp_path, file="other.onnx"))


def test_a_damaged_model_file_is_named(model_class, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")

    with pytest.raises(RuntimeError, match=r"cannot load .*model\.onnx"):
        model_class().initialize(_arguments(tmp_path))


@pytest.fixture
def fused_model(model_class, tmp_path):
    folder = tmp_path / "fused" / "1"
    folder.mkdir(parents=True)
    onnx.save(make_trunk(), tmp_path / "trunk.onnx")
    onnx.save(make_branch(0), tmp_path / "branch.onnx")
    write_fused(tmp_path / "trunk.onnx", {"intent": MergedBranch(tmp_path / "branch.onnx", 2)}, folder)
    tokens = ("input_ids", "attention_mask", "token_type_ids")
    config = {
        "default_model_filename": "rows.onnx",
        "input": [
            *({"name": name, "data_type": "TYPE_INT64", "dims": ["-1", "-1"]} for name in tokens),
            {"name": "asked", "data_type": "TYPE_BOOL", "dims": ["-1", "4"]},
            *({"name": f"hidden_{tap}", "data_type": "TYPE_FP32", "dims": ["-1", "-1", str(WIDTH)]} for tap in (1, 2)),
        ],
        "output": [
            *({"name": f"hidden_{tap}", "dims": ["-1", "-1", str(WIDTH)]} for tap in TAPS),
            {"name": "logits_intent", "dims": ["-1", "3"]},
        ],
        "parameters": {"logits_intent_tap": {"string_value": "2"}},
    }
    model = model_class()
    model.initialize(_arguments(folder) | {"model_config": json.dumps(config), "model_name": "fused"})
    return model


def test_a_fused_model_answers_the_rows_that_ask_and_all_of_them_where_no_row_is_named(fused_model):
    inputs = texts(3, 5)
    asked = np.zeros((3, 4), bool)
    asked[1, 0] = asked[2, 3] = True

    whole, some = fused_model.execute(
        [
            Request(inputs, ["logits_intent", "hidden_3"]),
            Request(inputs | {"asked": asked}, ["logits_intent", "hidden_3"]),
        ]
    )

    assert (whole.error, some.error) == (None, None)
    np.testing.assert_allclose(some.outputs["logits_intent"], whole.outputs["logits_intent"][[1]], atol=1e-6)
    np.testing.assert_allclose(some.outputs["hidden_3"], whole.outputs["hidden_3"][[2]], atol=1e-6)


def test_a_request_of_a_fused_model_that_does_not_go_together_is_the_caller_s_fault(fused_model):
    inputs = texts(3, 5)
    refused = [
        inputs | {"asked": np.zeros((3, 4), bool)},
        inputs | {"asked": np.ones((2, 4), bool)},
        inputs | {"asked": np.ones((3, 4), np.int64)},
        {"attention_mask": inputs["attention_mask"]},
    ]

    for response in fused_model.execute([Request(tensors, ["logits_intent"]) for tensors in refused]):
        assert response.error.code == 3
        assert response.error.startswith("fused: ")


def test_weights_beside_the_graph_are_compared_with_the_manifest_too(model_class, tmp_path):
    folder = tmp_path / "trunk" / "1"
    folder.mkdir(parents=True)
    for name in ("model.onnx", "model.onnx.data"):
        (folder / name).write_bytes(b"as built")
    write_manifest(tmp_path)
    (folder / "model.onnx.data").write_bytes(b"changed")

    with pytest.raises(RuntimeError, match=r"model\.onnx\.data is damaged"):
        model_class().initialize(_arguments(folder))


def test_many_tokens_are_computed_in_parts_and_each_sequence_gets_its_own_answer(model, tensors, monkeypatch):
    (whole,) = model.execute([Request(tensors, ["hidden_3"])])
    monkeypatch.setattr("build_tools.backends.espalier_backend.parts._MOST_TOKENS", 3)

    (response,) = model.execute([Request(tensors, ["hidden_3"])])

    np.testing.assert_allclose(response.outputs["hidden_3"], whole.outputs["hidden_3"], rtol=1e-6)
    assert _counts(model)["hidden_3"] == 2, "one for each request"


def test_a_fused_model_computes_many_tokens_in_parts_of_which_some_have_no_row_for_an_output(fused_model, monkeypatch):
    inputs, asked = texts(5, 6), np.zeros((5, 4), bool)
    asked[[0, 4], 0] = asked[3, 2] = True
    request = Request(inputs | {"asked": asked}, ["logits_intent", "hidden_2"])
    (whole,) = fused_model.execute([request])
    monkeypatch.setattr("build_tools.backends.espalier_backend.parts._MOST_TOKENS", 12)

    (response,) = fused_model.execute([request])

    for name, rows in (("logits_intent", 2), ("hidden_2", 1)):
        assert len(response.outputs[name]) == rows
        np.testing.assert_allclose(response.outputs[name], whole.outputs[name], atol=1e-6)
