"""Checkpoints -> repositories whose graphs compute in less than float32."""

import json

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.build.builder import build
from build_tools.errors import BuildError
from build_tools.golden import answer_parity
from build_tools.precision import graph_times
from build_tools.precision.hardware import available_precisions
from build_tools.precision.load_graph import load_graph
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from training.checkpoint import load_checkpoint, save_checkpoint
from training.data import TaskData
from training.data.labels import label_names
from training.data.rows import to_example
from training.encoder import load_encoder
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.trainer import fine_tune

TEXTS = ("wake me at seven", "play jazz in paris", "play rock", "wake me", "in rome at seven play jazz", "me")
TASKS = {
    "intent": (Kind.CLASSIFICATION, 2, [{"text": text, "label": text[:1]} for text in TEXTS]),
    "alike": (
        Kind.PAIR_REGRESSION,
        1,
        [{"text": text, "text_pair": TEXTS[-1], "label": float(index)} for index, text in enumerate(TEXTS)],
    ),
    "slots": (
        Kind.TAGGING,
        1,
        [
            {"tokens": text.split(), "tags": ["B-place" if word in ("paris", "rome") else "O" for word in text.split()]}
            for text in TEXTS
        ],
    ),
}
LOWER = [
    pytest.param(runtime, precision, id=f"{runtime}-{precision}")
    for runtime in Runtime
    for precision in available_precisions(Precision.AUTO, runtime)
    if precision is not Precision.FP32
]


@pytest.fixture(scope="module")
def train(encoder_folder, tmp_path_factory):
    """(task) -> its checkpoint's folder; trained long enough that its answers are not near-ties."""
    encoder = load_encoder(str(encoder_folder))
    folder = tmp_path_factory.mktemp("checkpoints")

    def train(task):
        path = folder / task
        if not path.exists():
            kind, layers, rows = TASKS[task]
            examples = [to_example(row, kind, f"row {number}") for number, row in enumerate(rows, start=1)]
            data = TaskData("rows", kind, label_names(examples, kind), examples, examples, "0" * 64)
            hyper = HyperParameters(learning_rate=3e-3, batch_size=2, epochs=12, max_length=32)
            save_checkpoint(path, fine_tune(data, task, encoder, layers, hyper))
        return path

    return train


@pytest.fixture
def lower_is_faster(monkeypatch):
    """Timing finds int8 the fastest, then bf16."""
    order = [Precision.INT8, Precision.BF16, Precision.FP32]
    monkeypatch.setattr(graph_times, "median_ms", lambda runs: {name: 1.0 + order.index(name) for name in runs})


def _parameters(model):
    config = text_format.Parse((model / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
    return {name: value.string_value for name, value in config.parameters.items()}


def _has_int8_weights(model):
    weights = onnx.load(model / "1" / "model.onnx").graph.initializer
    return any(weight.data_type == onnx.TensorProto.INT8 for weight in weights)


def _check_model(model, runtime, precision):
    """Checks that graph and config of the version folder have the precision."""
    assert {path.name for path in (model / "1").iterdir()} <= {"model.onnx", "branch.json"}
    assert _parameters(model) == parameters(runtime, precision)
    assert _has_int8_weights(model) == (precision is Precision.INT8)


@pytest.mark.usefixtures("lower_is_faster")
@pytest.mark.parametrize("runtime", Runtime)
def test_what_auto_chose_stands_in_registry_configs_and_graphs(train, tmp_path, runtime):
    reported = []

    registry = build(
        [train(task) for task in TASKS],
        tmp_path / "repository",
        runtime=runtime,
        precision=Precision.AUTO,
        report=reported.append,
    )

    repository = tmp_path / "repository"
    assert read_registry(repository) == registry
    chosen = {task: entry.versions["1"].precision for task, entry in registry.tasks.items()}
    assert Precision.AUTO not in {registry.trunks["trunk"].precision, *chosen.values()}
    if len(available_precisions(Precision.AUTO, runtime)) > 1:
        assert {registry.trunks["trunk"].precision, *chosen.values()} != {Precision.FP32}
    _check_model(repository / "trunk", runtime, registry.trunks["trunk"].precision)
    for task, precision in chosen.items():
        _check_model(repository / f"branch_{task}", runtime, precision)
        assert any(line.startswith(f"{task}: {precision} (fp32 ") for line in reported)


@pytest.mark.parametrize(("runtime", "precision"), LOWER)
def test_the_precision_asked_for_is_that_of_all_graphs_and_gives_the_golden_answers(
    train, tmp_path, runtime, precision
):
    repository, reported = tmp_path / "repository", []

    registry = build([train("intent")], repository, runtime=runtime, precision=precision, report=reported.append)

    assert (registry.trunks["trunk"].precision, registry.tasks["intent"].versions["1"].precision) == (
        precision,
        precision,
    )
    for name in ("trunk", "branch_intent"):
        _check_model(repository / name, runtime, precision)
    assert f"intent: same answers in {precision}" in reported
    checkpoint = load_checkpoint(train("intent"))
    graphs = {
        name: load_graph(repository / name / "1" / "model.onnx", [output], runtime, precision)
        for name, output in (("trunk", "hidden_2"), ("branch_intent", "logits"))
    }
    for row in checkpoint.golden:  # each by itself, as a caller may ask
        ids = np.array([checkpoint.tokenizer.encode(row["text"]).ids])
        tokens = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        hidden = graphs["trunk"].run(tokens, ["hidden_2"])["hidden_2"]
        inputs = {"hidden": hidden, "attention_mask": tokens["attention_mask"]}
        logits = graphs["branch_intent"].run(inputs, ["logits"])["logits"][0]
        assert logits.argmax() == np.argmax(row["logits"])
        assert 0 < np.abs(logits - np.array(row["logits"])).max() < 0.3


@pytest.mark.parametrize(("runtime", "precision"), LOWER)
def test_a_precision_that_changes_an_answer_is_refused_and_leaves_nothing_behind(
    train, tmp_path, runtime, precision, monkeypatch
):
    monkeypatch.setattr(answer_parity, "REGRESSION_TOLERANCE", 0.0)

    with pytest.raises(BuildError, match=rf"alike does not pass in {precision}: golden example \d .*--precision auto"):
        build([train("intent"), train("alike")], tmp_path / "repository", runtime=runtime, precision=precision)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("lower_is_faster")
def test_auto_leaves_a_task_that_only_passes_in_fp32_there(train, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_parity, "REGRESSION_TOLERANCE", 0.0)

    registry = build([train("intent"), train("alike")], tmp_path / "repository", precision=Precision.AUTO)

    assert registry.tasks["alike"].versions["1"].precision is Precision.FP32
    assert registry.trunks["trunk"].precision is Precision.FP32  # on any other alike would change


def test_what_the_runtime_cannot_do_is_refused_before_a_checkpoint_is_read(tmp_path):
    with pytest.raises(BuildError, match="ONNX Runtime computes no bf16"):
        build(
            [tmp_path / "nowhere"],
            tmp_path / "repository",
            runtime=Runtime.ONNXRUNTIME,
            precision=Precision.BF16,
        )


def test_with_data_the_dev_metric_of_the_tasks_that_have_some_is_told(train, tmp_path):
    folder, reported = tmp_path / "data" / "intent", []
    folder.mkdir(parents=True)
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TASKS["intent"][2]), encoding="utf-8")

    build(
        [train("intent"), train("slots")],
        tmp_path / "repository",
        precision=Precision.FP32,
        data=tmp_path / "data",
        report=reported.append,
    )

    assert f"{tmp_path / 'data'} has no folder for slots: checked on golden examples alone" in reported
    accuracy = load_checkpoint(train("intent")).record.scores["accuracy"]  # trained and scored on these very rows
    assert f"intent: same answers in fp32, dev accuracy {accuracy:.2f}" in reported
    assert "slots: same answers in fp32" in reported
