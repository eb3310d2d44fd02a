"""Checkpoints of every kind, trained on a few rows of a tiny encoder, -> a model repository."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from tokenizers import Tokenizer
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.build import builder, destination
from build_tools.build.builder import build
from build_tools.errors import BuildError
from build_tools.publishing.verify import verify
from build_tools.repository.names import ROUTERS
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from training.checkpoint import load_checkpoint, load_record, save_checkpoint
from training.data import TaskData
from training.data.labels import label_names
from training.data.rows import to_example
from training.encoder import load_encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.trainer import fine_tune

TEXTS = ("wake me at seven", "play jazz in paris", "play rock", "wake me", "in rome at seven play jazz", "me")

# task: (kind, L of 4 layers, one row per text)
TASKS = {
    "intent": (Kind.CLASSIFICATION, 1, [{"text": text, "label": text[:4]} for text in TEXTS]),
    "same": (
        Kind.PAIR_CLASSIFICATION,
        2,
        [{"text": text, "text_pair": TEXTS[index // 2], "label": str(index % 2)} for index, text in enumerate(TEXTS)],
    ),
    "alike": (
        Kind.PAIR_REGRESSION,
        1,
        [{"text": text, "text_pair": TEXTS[-1], "label": float(index)} for index, text in enumerate(TEXTS)],
    ),
    "slots": (
        Kind.TAGGING,
        2,
        [
            {"tokens": text.split(), "tags": ["B-place" if word in ("paris", "rome") else "O" for word in text.split()]}
            for text in TEXTS
        ],
    ),
    "topics": (Kind.MULTI_LABEL, 1, [{"text": text, "label": sorted({text[0], text[-1]})} for text in TEXTS]),
}
TAPS = {"intent": 3, "same": 2, "alike": 3, "slots": 2, "topics": 3}


def _data(kind, rows):
    examples = [to_example(row, kind, f"row {number}") for number, row in enumerate(rows, start=1)]
    return TaskData("rows", kind, label_names(examples, kind), examples, examples, "0" * 64)


@pytest.fixture(scope="module")
def train(encoder_folder, tmp_path_factory):
    """(task, maximum length) -> the folder of a task checkpoint, trained once for all tests."""
    encoder = load_encoder(str(encoder_folder))
    folder = tmp_path_factory.mktemp("checkpoints")

    def train(task, max_length=32):
        path = folder / f"{task}_{max_length}"
        if not path.exists():
            kind, layers, rows = TASKS[task]
            hyper = HyperParameters(learning_rate=1e-3, batch_size=4, epochs=1, max_length=max_length)
            save_checkpoint(path, fine_tune(_data(kind, rows), task, encoder, layers, hyper))
        return path

    return train


@pytest.fixture(scope="module")
def five_kinds(train, tmp_path_factory):
    """(repository, what the build reported): all five kinds, for OpenVINO."""
    folder = tmp_path_factory.mktemp("five_kinds")
    reported = []
    build([train(task) for task in TASKS], folder / "repository", report=reported.append)
    assert [path.name for path in folder.iterdir()] == ["repository"]
    return folder / "repository", reported


@pytest.fixture(scope="module")
def two_lengths(train, tmp_path_factory):
    """(repository, what the build reported): slots of 8 tokens beside a pair task of 32, for ONNX Runtime."""
    folder = tmp_path_factory.mktemp("two_lengths")
    reported = []
    build(
        [train("slots", 8), train("same")], folder / "repository", runtime=Runtime.ONNXRUNTIME, report=reported.append
    )
    assert [path.name for path in folder.iterdir()] == ["repository"]
    return folder / "repository", reported


def _config(model):
    return text_format.Parse((model / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _hand_written():
    """The files of the hand-written models, without those that running or building adds."""
    return {
        f"{model}/{name}": content
        for model in destination.HAND_WRITTEN_MODELS
        for name, content in _files(destination.HAND_WRITTEN / model).items()
        if "__pycache__" not in name and not name.endswith("tokenizer.json")
    }


def _outputs(model):
    return [output.name for output in onnx.load(model / "1" / "model.onnx").graph.output]


def test_the_repository_holds_these_files_and_no_other(five_kinds):
    repository, _ = five_kinds
    trunk = {"trunk/config.pbtxt", "trunk/configs/espalier.pbtxt", "trunk/1/model.onnx"}
    generated = {"registry.json", "manifest.json", "serving.lock", "tokenizer/1/tokenizer.json", *trunk}
    for task in TASKS:
        generated |= {f"{task}/config.pbtxt"}
        generated |= {f"branch_{task}/{name}" for name in ("config.pbtxt", "1/model.onnx", "1/branch.json")}

    files = _files(repository)

    assert set(files) == generated | set(_hand_written())
    copied = _hand_written().keys() - {f"{router}/config.pbtxt" for router in ROUTERS}  # those say how many instances
    assert {name: files[name] for name in copied} == {name: _hand_written()[name] for name in copied}
    # Triton loads no model without a version folder, not even an ensemble, whose folder is empty.
    assert all((model / "1").is_dir() for model in repository.iterdir() if model.is_dir())


def test_every_file_of_a_fresh_repository_is_in_its_manifest(five_kinds):
    repository, _ = five_kinds

    assert verify(repository) == []


def test_a_task_without_a_longer_or_shorter_neighbour_needs_one_tokenizer(five_kinds):
    repository, _ = five_kinds

    assert [path.name for path in repository.glob("tokenizer*")] == ["tokenizer"]


@pytest.mark.parametrize("built", ["five_kinds", "two_lengths"])
def test_every_branch_is_proved_on_its_golden_examples(built, request):
    _, reported = request.getfixturevalue(built)

    proved = {line.split(":")[0]: line for line in reported if "golden examples equal" in line}
    assert set(proved) == (set(TASKS) if built == "five_kinds" else {"slots", "same"})
    for line in proved.values():
        assert f" {len(TEXTS)} golden examples" in line
        assert float(line.rsplit(" ", 1)[1]) < 1e-4


def test_the_trunk_has_one_output_for_each_tap_in_use_and_no_layer_above_the_deepest(five_kinds):
    repository, _ = five_kinds

    assert _outputs(repository / "trunk") == ["hidden_2", "hidden_3"]
    weights = onnx.load(repository / "trunk" / "1" / "model.onnx").graph.initializer
    assert sum(list(weight.dims) == [32, 64] for weight in weights) == 3


@pytest.mark.parametrize(("built", "runtime"), [("five_kinds", "openvino"), ("two_lengths", "onnxruntime")])
def test_trunk_and_branches_are_served_by_the_runtime_that_was_chosen(built, runtime, request):
    repository, _ = request.getfixturevalue(built)

    served = [repository / "trunk", *repository.glob("branch_*")]
    assert len(served) > 2
    assert {_config(model).backend for model in served} == {runtime}
    assert read_registry(repository).runtime == runtime


def test_configs_and_graphs_agree_on_inputs_outputs_and_shapes(five_kinds):
    repository, _ = five_kinds
    for model in (repository / "trunk", *repository.glob("branch_*")):
        config, graph = _config(model), onnx.load(model / "1" / "model.onnx").graph
        for tensors, values in ((config.input, graph.input), (config.output, graph.output)):
            expected = {tensor.name: list(tensor.dims) for tensor in tensors}
            found = {value.name: [dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim] for value in values}
            assert found == expected, model.name


def test_the_registry_names_each_tasks_live_version_and_how_to_read_it(five_kinds, encoder_folder, train):
    repository, _ = five_kinds
    registry = read_registry(repository)

    assert {task: (entry.live, list(entry.versions)) for task, entry in registry.tasks.items()} == {
        task: (1, ["1"]) for task in TASKS
    }
    for task, (kind, _, _) in TASKS.items():
        version = registry.tasks[task].versions["1"]
        assert (version.kind, version.tap, version.max_length) == (kind, TAPS[task], 32)
        assert version.labels == load_record(train(task)).labels
    assert registry.trunks["trunk"].encoder == str(encoder_folder)
    assert registry.trunks["trunk"].taps == [2, 3]
    assert registry.trunks["trunk"].fingerprints == trunk_fingerprints(load_encoder(str(encoder_folder)), 3)


def test_each_branch_carries_its_checkpoints_record(five_kinds, train):
    repository, _ = five_kinds
    for task in TASKS:
        assert json.loads((repository / f"branch_{task}" / "1" / "branch.json").read_text()) == json.loads(
            (train(task) / "branch.json").read_text()
        )


def test_ensembles_read_their_own_tap_and_branch(five_kinds):
    repository, _ = five_kinds
    for task, tap in TAPS.items():
        steps = {step.model_name: step for step in _config(repository / task).ensemble_scheduling.step}
        assert list(steps) == ["tokenizer", "trunk", f"branch_{task}"]
        assert list(steps["trunk"].output_map) == [f"hidden_{tap}"]


def test_another_maximum_length_gets_a_tokenizer_of_its_own_that_its_ensemble_reads(two_lengths):
    repository, _ = two_lengths
    text = "wake me at seven " * 5

    lengths = {
        model.name: len(Tokenizer.from_file(str(model / "1" / "tokenizer.json")).encode(text).ids)
        for model in repository.glob("tokenizer*")
    }
    assert lengths == {"tokenizer": 22, "tokenizer_8": 8}
    first = {task: _config(repository / task).ensemble_scheduling.step[0].model_name for task in ("slots", "same")}
    assert first == {"slots": "tokenizer_8", "same": "tokenizer"}
    hand_written = set(_files(repository / "tokenizer"))
    assert set(_files(repository / "tokenizer_8")) == hand_written > {"config.pbtxt", "1/model.py"}
    versions = {task: entry.versions["1"].max_length for task, entry in read_registry(repository).tasks.items()}
    assert versions == {"slots": 8, "same": 32}


def test_a_built_repository_is_not_overwritten(five_kinds, train):
    repository, _ = five_kinds
    before = _files(repository)

    with pytest.raises(BuildError, match="already holds a built repository"):
        build([train("intent")], repository)

    assert _files(repository) == before


def _tamper(checkpoint, folder, change):
    """A copy of the checkpoint with other golden examples and matching hashes."""
    loaded = load_checkpoint(checkpoint)
    change(loaded.golden)
    save_checkpoint(folder, loaded)
    return folder


def test_a_golden_example_that_does_not_hold_stops_the_build_and_leaves_nothing_behind(train, tmp_path):
    def change(rows):
        rows[3]["logits"][-1][0] += 0.0123  # the last token of the fourth text

    tampered = _tamper(train("slots"), tmp_path / "slots", change)

    with pytest.raises(BuildError, match=r"slots .* golden example 4 \('wake me'\) differs by 0\.012"):
        build([tampered], tmp_path / "new" / "repository")

    assert list((tmp_path / "new").iterdir()) == []


def test_a_checkpoint_of_another_trunk_is_refused_with_both_fingerprints(train, make_encoder_folder, tmp_path):
    other = make_encoder_folder(1)
    expected = load_record(train("intent")).trunk_fingerprint
    found = trunk_fingerprints(load_encoder(str(other)), 3)[3]
    assert found != expected

    with pytest.raises(TrainingError) as caught:
        build([train("intent")], tmp_path / "repository", encoder_name=str(other))

    assert expected in str(caught.value)
    assert found in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_same_trunk_under_another_name_is_accepted_up_to_the_first_export(
    train, make_encoder_folder, tmp_path, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "export_trunk", stop)
    with pytest.raises(KeyboardInterrupt):
        build([train("intent")], tmp_path / "repository", encoder_name=str(make_encoder_folder(0)))

    assert list(tmp_path.iterdir()) == []  # Ctrl-C leaves no staging folder either


def test_two_checkpoints_of_one_task_are_refused(train, tmp_path):
    with pytest.raises(BuildError, match="two checkpoints are of the task slots"):
        build([train("slots"), train("slots", 8)], tmp_path / "repository")

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_refused_by_the_name_of_its_file(train, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(train("intent"), damaged)
    (damaged / "branch.safetensors").write_bytes(b"\0" + (damaged / "branch.safetensors").read_bytes()[1:])

    with pytest.raises(TrainingError, match=r"branch\.safetensors is damaged"):
        build([train("slots"), damaged], tmp_path / "repository")

    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A copy of the hand-written models' folder, which the build takes for the original."""
    home = tmp_path / "home" / "model_repository"
    for name, content in _hand_written().items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    monkeypatch.setattr(destination, "HAND_WRITTEN", home)
    return home


def test_building_beside_the_hand_written_models_adds_to_them_and_changes_none(train, home, monkeypatch):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.rglob("*") if path.is_file()}
    monkeypatch.chdir(home.parent)

    build([train("intent")], Path("model_repository"))

    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    added = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and path not in before}
    assert added == {
        "registry.json",
        "manifest.json",
        "serving.lock",
        "tokenizer/1/tokenizer.json",
        "trunk/config.pbtxt",
        "trunk/configs/espalier.pbtxt",
        "trunk/1/model.onnx",
        "branch_intent/config.pbtxt",
        "branch_intent/1/model.onnx",
        "branch_intent/1/branch.json",
        "intent/config.pbtxt",
    }
    assert [path.name for path in home.parent.iterdir()] == ["model_repository"]


def test_a_failed_build_leaves_the_hand_written_models_as_they_were(train, home, monkeypatch):
    before = _files(home)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(builder, "export_trunk", fail)
    with pytest.raises(OSError, match="no space left"):
        build([train("intent")], home)

    assert _files(home) == before
    assert [path.name for path in home.parent.iterdir()] == ["model_repository"]


def test_golden_examples_were_computed_from_the_checkpoint_that_was_built(train):
    checkpoint = load_checkpoint(train("same"))

    assert [row["text_pair"] for row in checkpoint.golden] == [row["text_pair"] for row in TASKS["same"][2]]
    spread = [row["logits"][0] for row in checkpoint.golden]
    assert max(spread) - min(spread) > 0.01  # else the check would not notice a graph that ignores its input
