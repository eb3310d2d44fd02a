import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.names import branch_name, embedded_config
from build_tools.runtime import Runtime
from build_tools.triton_config import (
    branch_config,
    ensemble_config,
    resumable_trunk_config,
    trunk_config,
    write_config,
    write_trunk_configs,
)
from training.kinds import Kind

PAIR_KINDS = (Kind.PAIR_CLASSIFICATION, Kind.PAIR_REGRESSION)


@pytest.fixture
def written(tmp_path):
    """A config as Triton reads it: parsed from the file that was written."""

    def written(config):
        write_config(tmp_path, config)
        return text_format.Parse((tmp_path / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())

    return written


def _tensors(tensors):
    return {tensor.name: (pb.DataType.Name(tensor.data_type), list(tensor.dims)) for tensor in tensors}


def _steps(config):
    return {step.model_name: step for step in config.ensemble_scheduling.step}


@pytest.mark.parametrize("runtime", Runtime)
def test_the_file_holds_the_whole_config(written, make_record, runtime):
    for config in (
        trunk_config(runtime, [2, 3], 16),
        branch_config(runtime, make_record(), 16),
        ensemble_config(make_record(), "tokenizer"),
    ):
        assert written(config) == config


@pytest.mark.parametrize("runtime", Runtime)
def test_trunk_and_branch_have_the_one_form_that_every_backend_takes(written, make_record, runtime):
    for name, config in (
        ("trunk", trunk_config(runtime, [2], 16)),
        ("branch_intent", branch_config(runtime, make_record(), 16)),
    ):
        config = written(config)
        assert (config.name, config.backend, config.platform) == (name, runtime, "")
        assert config.max_batch_size == 0
        assert config.default_model_filename == "model.onnx"
        assert all(tensor.dims[0] == -1 for tensor in [*config.input, *config.output])
        assert config.version_policy.latest.num_versions == 3
        assert not config.HasField("dynamic_batching")
        assert [(group.kind, group.count) for group in config.instance_group] == [(pb.ModelInstanceGroup.KIND_CPU, 1)]


def test_each_runtime_gets_its_own_thread_setting_and_none_of_the_other(written):
    parameters = {
        runtime: {key: value.string_value for key, value in written(trunk_config(runtime, [2], 16)).parameters.items()}
        for runtime in Runtime
    }

    assert parameters == {"openvino": {"NUM_STREAMS": "1"}, "onnxruntime": {"intra_op_thread_count": "1"}}


def test_the_trunk_puts_out_the_hidden_states_of_every_tap(written):
    config = written(trunk_config(Runtime.OPENVINO, [2, 3], 16))

    assert _tensors(config.input) == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), ("TYPE_INT64", [-1, -1])
    )
    assert _tensors(config.output) == {
        "hidden_2": ("TYPE_FP32", [-1, -1, 16]),
        "hidden_3": ("TYPE_FP32", [-1, -1, 16]),
    }


def test_trunk_and_branch_each_need_one_of_the_machine_s_computing_slots(written, make_record):
    for config in (trunk_config(Runtime.OPENVINO, [2], 16), branch_config(Runtime.OPENVINO, make_record(), 16)):
        (group,) = written(config).instance_group
        (resource,) = group.rate_limiter.resources
        assert (resource.name, resource.count, getattr(resource, "global")) == ("compute", 1, True)


def test_the_resumable_trunk_takes_the_hidden_states_of_every_tap_but_the_deepest_and_needs_none(written):
    plain = trunk_config(Runtime.OPENVINO, [2, 3, 5], 16)

    config = written(resumable_trunk_config(plain))

    given = {tensor.name: tensor for tensor in config.input if tensor.name.startswith("hidden_")}
    assert _tensors(given.values()) == dict.fromkeys(("hidden_2", "hidden_3"), ("TYPE_FP32", [-1, -1, 16]))
    assert all(tensor.optional for tensor in given.values())
    assert not any(tensor.optional for tensor in config.input if tensor.name not in given)
    assert list(config.output) == list(plain.output)
    assert [tensor.name for tensor in plain.input] == ["input_ids", "attention_mask", "token_type_ids"]


def test_nvidia_s_backends_find_the_plain_trunk_and_our_own_the_resumable_one(tmp_path):
    plain = trunk_config(Runtime.OPENVINO, [2, 3], 16)

    write_trunk_configs(tmp_path, plain)

    found = [
        text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
        for file in (tmp_path / "config.pbtxt", embedded_config(tmp_path))
    ]
    assert found == [plain, resumable_trunk_config(plain)]
    assert embedded_config(tmp_path) == tmp_path / "configs" / "espalier.pbtxt"


@pytest.mark.parametrize(
    ("kind", "logits"),
    [
        (Kind.CLASSIFICATION, [-1, 2]),
        (Kind.PAIR_CLASSIFICATION, [-1, 2]),
        (Kind.MULTI_LABEL, [-1, 2]),
        (Kind.PAIR_REGRESSION, [-1, 1]),
        (Kind.TAGGING, [-1, -1, 3]),
    ],
)
def test_logits_have_the_shape_of_the_kind_in_branch_and_ensemble(written, make_record, kind, logits):
    record = make_record(kind)

    branch = written(branch_config(Runtime.OPENVINO, record, 16))
    ensemble = written(ensemble_config(record, "tokenizer"))

    assert _tensors(branch.input) == {
        "hidden": ("TYPE_FP32", [-1, -1, 16]),
        "attention_mask": ("TYPE_INT64", [-1, -1]),
    }
    assert _tensors(branch.output) == {"logits": ("TYPE_FP32", logits)}
    assert _tensors(ensemble.output)["logits"] == ("TYPE_FP32", logits)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_trunk_tensor_is_an_output_of_an_ensemble(written, make_record, kind):
    config = written(ensemble_config(make_record(kind), "tokenizer"))

    assert config.platform == "ensemble"
    expected = {"logits", "truncated"} | ({"offsets"} if kind is Kind.TAGGING else set())
    assert {output.name for output in config.output} == expected
    assert not {output.name for output in config.output} & set(_steps(config)["trunk"].output_map.values())


@pytest.mark.parametrize("kind", list(Kind))
def test_only_pair_tasks_take_a_pair(written, make_record, kind):
    config = written(ensemble_config(make_record(kind), "tokenizer"))

    expected = ["text", "pair"] if kind in PAIR_KINDS else ["text"]
    assert _tensors(config.input) == dict.fromkeys(expected, ("TYPE_STRING", [-1]))
    assert sorted(_steps(config)["tokenizer"].input_map) == sorted(expected)


@pytest.mark.parametrize("kind", list(Kind))
def test_an_ensembles_steps_are_wired_from_the_texts_to_the_outputs(written, make_record, kind):
    config = written(ensemble_config(make_record(kind, task="mood", tap=1), "tokenizer_8"))

    assert config.name == "mood"
    assert [step.model_name for step in config.ensemble_scheduling.step] == ["tokenizer_8", "trunk", "branch_mood"]
    assert {step.model_version for step in config.ensemble_scheduling.step} == {-1}
    known = {tensor.name for tensor in config.input}
    for step in config.ensemble_scheduling.step:
        assert set(step.input_map.values()) <= known
        known |= set(step.output_map.values())
    assert {output.name for output in config.output} <= known


@pytest.mark.parametrize("tap", [1, 2])
def test_an_ensemble_asks_the_trunk_for_its_own_tap_alone_and_hands_it_to_the_branch(written, make_record, tap):
    steps = _steps(written(ensemble_config(make_record(tap=tap), "tokenizer")))

    assert dict(steps["trunk"].output_map) == {f"hidden_{tap}": f"hidden_{tap}"}
    assert steps["branch_intent"].input_map["hidden"] == f"hidden_{tap}"
    assert steps["branch_intent"].input_map["attention_mask"] == "attention_mask"


def test_branch_models_are_named_for_their_task():
    assert branch_name("intent") == "branch_intent"
