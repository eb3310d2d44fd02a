import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.repository.device import Device
from build_tools.repository.names import branch_name, embedded_config
from build_tools.repository.registry import FusedEntry, TrunkEntry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import (
    branch_config,
    config_sha256,
    ensemble_config,
    fused_config,
    read_config,
    resumable_trunk_config,
    selectable_fused_config,
    trunk_config,
    with_versions,
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
def test_the_file_holds_the_whole_config(written, make_version, runtime):
    for config in (
        trunk_config(runtime, [2, 3], 16),
        branch_config(runtime, make_version(), 16, [1, 3]),
        ensemble_config("intent", 3, make_version(), "tokenizer"),
    ):
        assert written(config) == config


@pytest.mark.parametrize("runtime", Runtime)
def test_trunk_and_branch_have_the_one_form_that_every_backend_takes(written, make_version, runtime):
    for name, config in (
        ("trunk", trunk_config(runtime, [2], 16)),
        ("branch_intent", branch_config(runtime, make_version(), 16, [1, 3])),
    ):
        config = written(config)
        assert (config.name, config.backend, config.platform) == (name, runtime, "")
        assert config.max_batch_size == 0
        assert config.default_model_filename == "model.onnx"
        assert all(tensor.dims[0] == -1 for tensor in [*config.input, *config.output])
        assert list(config.version_policy.specific.versions) == ([1, 3] if name == "branch_intent" else [1])
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


def test_trunk_and_branch_each_need_one_of_the_machine_s_computing_slots(written, make_version):
    for config in (trunk_config(Runtime.OPENVINO, [2], 16), branch_config(Runtime.OPENVINO, make_version(), 16, [1])):
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
def test_logits_have_the_shape_of_the_kind_in_branch_and_ensemble(written, make_version, kind, logits):
    version = make_version(kind)

    branch = written(branch_config(Runtime.OPENVINO, version, 16, [1]))
    ensemble = written(ensemble_config("intent", 1, version, "tokenizer"))

    assert _tensors(branch.input) == {
        "hidden": ("TYPE_FP32", [-1, -1, 16]),
        "attention_mask": ("TYPE_INT64", [-1, -1]),
    }
    assert _tensors(branch.output) == {"logits": ("TYPE_FP32", logits)}
    assert _tensors(ensemble.output)["logits"] == ("TYPE_FP32", logits)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_trunk_tensor_is_an_output_of_an_ensemble(written, make_version, kind):
    config = written(ensemble_config("intent", 1, make_version(kind), "tokenizer"))

    assert config.platform == "ensemble"
    expected = {"logits", "truncated"} | ({"offsets"} if kind is Kind.TAGGING else set())
    assert {output.name for output in config.output} == expected
    assert not {output.name for output in config.output} & set(_steps(config)["trunk"].output_map.values())


@pytest.mark.parametrize("kind", list(Kind))
def test_only_pair_tasks_take_a_pair(written, make_version, kind):
    config = written(ensemble_config("intent", 1, make_version(kind), "tokenizer"))

    expected = ["text", "pair"] if kind in PAIR_KINDS else ["text"]
    assert _tensors(config.input) == dict.fromkeys(expected, ("TYPE_STRING", [-1]))
    assert sorted(_steps(config)["tokenizer"].input_map) == sorted(expected)


@pytest.mark.parametrize("kind", list(Kind))
def test_an_ensembles_steps_are_wired_from_the_texts_to_the_outputs(written, make_version, kind):
    config = written(ensemble_config("mood", 4, make_version(kind, "branch_mood", tap=1), "tokenizer_8"))

    assert config.name == "mood"
    assert [step.model_name for step in config.ensemble_scheduling.step] == ["tokenizer_8", "trunk", "branch_mood"]
    assert [step.model_version for step in config.ensemble_scheduling.step] == [-1, -1, 4]
    known = {tensor.name for tensor in config.input}
    for step in config.ensemble_scheduling.step:
        assert set(step.input_map.values()) <= known
        known |= set(step.output_map.values())
    assert {output.name for output in config.output} <= known


@pytest.mark.parametrize("tap", [1, 2])
def test_an_ensemble_asks_the_trunk_for_its_own_tap_alone_and_hands_it_to_the_branch(written, make_version, tap):
    steps = _steps(written(ensemble_config("intent", 1, make_version(tap=tap), "tokenizer")))

    assert dict(steps["trunk"].output_map) == {f"hidden_{tap}": f"hidden_{tap}"}
    assert steps["branch_intent"].input_map["hidden"] == f"hidden_{tap}"
    assert steps["branch_intent"].input_map["attention_mask"] == "attention_mask"


def test_branch_models_are_named_for_their_task():
    assert branch_name("intent") == "branch_intent"


def test_a_later_trunk_has_its_own_name_and_its_one_version():
    config = trunk_config(Runtime.OPENVINO, [2], 16, name="trunk.2", version=3)

    assert config.name == "trunk.2"
    assert list(config.version_policy.specific.versions) == [3]


def test_other_versions_are_the_only_difference_and_the_config_given_stays_as_it_is(make_version):
    config = branch_config(Runtime.OPENVINO, make_version(), 16, [1, 3])

    changed = with_versions(config, [3, 4])

    assert changed == branch_config(Runtime.OPENVINO, make_version(), 16, [3, 4])
    assert config == branch_config(Runtime.OPENVINO, make_version(), 16, [1, 3])
    assert with_versions(changed, []) == with_versions(config, [])


def test_what_is_written_is_read_back_and_has_the_sha256_that_was_announced(tmp_path, make_version):
    config = ensemble_config("intent", 2, make_version(), "tokenizer")

    write_config(tmp_path, config)

    assert read_config(tmp_path) == config
    assert config_sha256(config) == hashlib.sha256((tmp_path / "config.pbtxt").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b'name: "trunk',
        b"nonsense {}",
        pytest.param(
            b'name: "trunk\xff"',
        ),
    ],
)
def test_a_damaged_config_is_told_with_what_to_do(tmp_path, content):
    (tmp_path / "config.pbtxt").write_bytes(content)

    with pytest.raises(BuildError, match=r"config\.pbtxt is damaged \(.*\): build the repository again"):
        read_config(tmp_path)


def test_triton_never_reads_a_part_of_a_config_nor_finds_anything_else_in_a_model_s_folder(tmp_path, monkeypatch):
    model = tmp_path / "trunk"
    model.mkdir()
    old, new = (trunk_config(Runtime.OPENVINO, taps, 16) for taps in ([2], [1, 2]))
    write_trunk_configs(model, old)
    real, seen = Path.replace, []

    def replace(staged, target):
        seen.append((sorted(path.name for path in model.rglob("*")), read_config(model) == old))
        return real(staged, target)

    monkeypatch.setattr(Path, "replace", replace)
    write_trunk_configs(model, new)

    whole = ["config.pbtxt", "configs", "espalier.pbtxt"]
    assert seen == [(whole, True), (whole, False)]
    assert read_config(model) == new


@pytest.fixture
def fused(make_version):
    """Its trunk, its entry and its config: taps 1 and 2, of three that the trunk has now, and one task."""
    trunk = TrunkEntry(
        encoder="tiny",
        config={"hidden_size": 16, "vocab_size": 100},
        taps=[1, 2, 3],
        fingerprints=[],
        tokenizers={"tokenizer": 16},
    )
    entry = FusedEntry(model="fused.2", version=4, taps=[1, 2], tasks={"intent": 3}, since=datetime.now(UTC))
    return entry, fused_config(Runtime.OPENVINO, trunk, entry, {"intent": make_version()}, {"NUM_STREAMS": "2"})


def test_a_fused_model_has_the_outputs_of_its_taps_and_tasks_and_the_limits_of_its_trunk(fused):
    _, config = fused

    assert (config.name, list(config.version_policy.specific.versions)) == ("fused.2", [4])
    assert _tensors(config.output) == {
        "hidden_1": ("TYPE_FP32", [-1, -1, 16]),
        "hidden_2": ("TYPE_FP32", [-1, -1, 16]),
        "logits_intent": ("TYPE_FP32", [-1, 2]),
    }
    assert [one.name for one in config.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert config.parameters["input_ids_below"].string_value == "100"
    assert config.parameters["logits_intent_tap"].string_value == "2"
    assert config.parameters["NUM_STREAMS"].string_value == "2"


def test_for_our_backends_it_reads_which_rows_ask_and_the_hidden_states_from_which_to_go_on(fused):
    config = selectable_fused_config(fused[1])

    assert config.default_model_filename == "rows.onnx"
    assert {one.name for one in config.input if not one.optional} == {"attention_mask"}
    assert _tensors(config.input)["asked"] == ("TYPE_BOOL", [-1, 3])
    assert _tensors(config.input)["hidden_1"] == ("TYPE_FP32", [-1, -1, 16])
    assert "hidden_2" not in _tensors(config.input)


def test_an_ensemble_asks_the_fused_model_for_what_it_has(make_version, fused):
    entry, _ = fused
    inside = ensemble_config("intent", 3, make_version(), "tokenizer", entry)
    assert list(_steps(inside)) == ["tokenizer", "fused.2"]
    step = inside.ensemble_scheduling.step[1]
    assert (step.model_version, dict(step.output_map)) == (4, {"logits_intent": "logits"})

    outside = ensemble_config("intent", 5, make_version(), "tokenizer", entry)
    assert list(_steps(outside)) == ["tokenizer", "fused.2", "branch_intent"]

    deeper = ensemble_config("intent", 5, make_version(tap=3), "tokenizer", entry)
    assert list(_steps(deeper)) == ["tokenizer", "trunk", "branch_intent"]


@pytest.fixture
def on_gpu(make_version):
    """(config of a trunk, of a branch, of a fused graph) for a GPU"""
    trunk = TrunkEntry(encoder="tiny", config={"hidden_size": 16}, taps=[1, 2], fingerprints=[], tokenizers={})
    fused = FusedEntry(model="fused", version=1, taps=[1, 2], tasks={"intent": 3}, since=datetime.now(UTC))
    runtime, device = Runtime.ONNXRUNTIME, Device.GPU
    return (
        trunk_config(runtime, [1, 2], 16, device=device),
        branch_config(runtime, make_version(), 16, [1], device),
        fused_config(runtime, trunk, fused, {"intent": make_version()}, device=device),
    )


def test_on_a_gpu_trunk_branches_and_fused_graph_have_an_instance_there_and_wait_for_no_core(on_gpu, written):
    for config in map(written, on_gpu):
        (instances,) = config.instance_group
        assert (instances.kind, instances.count) == (pb.ModelInstanceGroup.KIND_GPU, 1)
        assert not instances.rate_limiter.resources
        assert (config.backend, config.max_batch_size) == ("onnxruntime", 0)
        assert config.parameters["intra_op_thread_count"].string_value == "1"


def test_on_a_gpu_every_input_is_warmed_up_in_shapes_that_fit_it(on_gpu, written):
    for config in map(written, on_gpu):
        assert config.model_warmup
        for request in config.model_warmup:
            assert request.batch_size == 1
            assert request.inputs.keys() == {one.name for one in config.input}
            for one in config.input:
                warm = request.inputs[one.name]
                assert warm.data_type == one.data_type
                assert warm.WhichOneof("input_data_type") == "zero_data"
                assert all(given in (-1, size) for given, size in zip(one.dims, warm.dims, strict=True))
            assert len({tuple(warm.dims[:2]) for warm in request.inputs.values()}) == 1


def test_on_a_cpu_nothing_is_warmed_up(make_version):
    for config in (
        trunk_config(Runtime.ONNXRUNTIME, [1], 16),
        branch_config(Runtime.OPENVINO, make_version(), 16, [1]),
    ):
        assert not config.model_warmup
