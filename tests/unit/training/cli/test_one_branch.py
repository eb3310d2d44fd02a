import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import training.trainer
from training.checkpoint import load_checkpoint
from training.cli import app
from training.errors import TrainingError
from training.kinds import Kind
from training.stored_states import Cache

WriteRows = Callable[[Path, list[dict[str, Any]]], Path]
DOCUMENTATION = Path(__file__).parents[4] / "docs" / "training.md"
QUICK = ["--epochs", "2", "--batch-size", "8", "--learning-rate", "1e-3"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(result: Result) -> str:
    """The one sentence that `espalier` prints."""
    assert result.exit_code == 1
    assert isinstance(result.exception, TrainingError), result.exception
    return str(result.exception)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, task_folders: dict[Kind, Path], encoder_folder: Path) -> Path:
    output = tmp_path_factory.mktemp("checkpoints") / "teacher"
    data = task_folders[Kind.CLASSIFICATION]
    result = invoke(
        "finetune", data, "-L", 3, "--output", output, "--encoder", encoder_folder, "--max-length", 24, *QUICK
    )
    assert result.exit_code == 0, result.output
    return output


def test_finetune_distill_and_evaluate_go_together(
    teacher: Path, task_folders: dict[Kind, Path], tmp_path: Path
) -> None:
    record = load_checkpoint(teacher).record
    assert (record.task, record.layers, record.tap, record.max_length) == ("classification", 3, 1, 24)
    assert (record.training.hyper_parameters["epochs"], record.training.train_rows) == (2, 24)

    data, output = task_folders[Kind.CLASSIFICATION], tmp_path / "student"
    result = invoke(
        "distill", teacher, data, "--student-layers", 1, "--output", output, "--train-rows", 10, "--seed", 3, *QUICK
    )
    assert result.exit_code == 0, result.output
    student = load_checkpoint(output).record
    assert (student.layers, student.tap, student.training.role) == (1, 1, "student")
    assert (student.training.seed, student.training.train_rows, student.max_length) == (3, 10, 24)
    assert f"classification: accuracy {student.scores['accuracy']:.2f} (" in result.stdout

    for folder, made in ((teacher, record), (output, student)):
        result = invoke("evaluate", folder, "--data", data / "dev.jsonl", "--json")
        assert result.exit_code == 0, result.output
        scores = json.loads(result.stdout)
        assert 0 <= scores.pop("standard_error") < 15
        assert scores == {"task": "classification", "metric": "accuracy", "rows": 24, "scores": made.scores}


OPTIONS: dict[str, tuple[str, object]] = {
    "--epochs": ("epochs", 2),
    "--patience": ("patience", 1),
    "--batch-size": ("batch_size", 6),
    "--accumulation": ("accumulation", 2),
    "--learning-rate": ("learning_rate", 1e-3),
    "--class-weights": ("class_weights", "balanced"),
    "--precision": ("precision", "fp32"),
}


@pytest.mark.parametrize("verb", ["finetune", "distill"])
def test_every_training_option_reaches_the_checkpoint(
    verb: str, teacher: Path, task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path
) -> None:
    data, output = task_folders[Kind.CLASSIFICATION], tmp_path / "trained"
    inputs = {
        "finetune": [data, "--teacher-layers", 2, "--encoder", encoder_folder, "--max-length", 20],
        "distill": [teacher, data, "--student-layers", 1],
    }
    options = [argument for option, (_, value) in OPTIONS.items() for argument in (option, value)]
    result = invoke(verb, *inputs[verb], "--output", output, "--seed", 5, "--train-rows", 12, *options)
    assert result.exit_code == 0, result.output
    record = load_checkpoint(output).record
    trained_with = record.training.hyper_parameters
    assert {name: trained_with[name] for name, _ in OPTIONS.values()} == dict(OPTIONS.values())
    assert trained_with["max_length"] == record.max_length == {"finetune": 20, "distill": 24}[verb]
    assert (record.training.seed, record.training.train_rows) == (5, 12)


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t")])
def test_evaluate_reads_tables_too(suffix: str, separator: str, teacher: Path, tmp_path: Path) -> None:
    path = tmp_path / f"dev.{suffix}"
    path.write_text("".join(separator.join(row) + "\n" for row in (("text", "label"), ("a good film", "pos"))))
    result = invoke("evaluate", teacher, "--data", path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == 1


def test_evaluate_without_json_prints_a_line_for_people(teacher: Path, task_folders: dict[Kind, Path]) -> None:
    scores = load_checkpoint(teacher).record.scores
    result = invoke("evaluate", teacher, "--data", task_folders[Kind.CLASSIFICATION] / "dev.jsonl")
    assert result.stdout.startswith(f"classification: accuracy {scores['accuracy']:.2f} (")
    assert f"matthews {scores['matthews']:.2f}" in result.stdout


def test_evaluate_scores_many_checkpoints_on_one_file(teacher: Path, task_folders: dict[Kind, Path]) -> None:
    data = task_folders[Kind.CLASSIFICATION] / "dev.jsonl"
    lines = invoke("evaluate", teacher, teacher, "--data", data).stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{teacher}: classification: accuracy ")
    assert "on 24 rows" in lines[0]


def test_finetune_of_all_layers_says_at_once_whose_that_is(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.load_task", lambda *_, **__: pytest.fail("the data were read"))
    data = task_folders[Kind.CLASSIFICATION]
    for encoder, layers in ((encoder_folder, 4), ("minilm", 6)):
        given = ["--teacher-layers", layers, "--encoder", encoder, "--output", tmp_path / "teacher"]
        message = error_of(invoke("finetune", data, *given))
        assert f"L must be 1..{layers - 1}" in message
        assert "`espalier search --baseline full`" in message


def test_evaluate_names_file_and_line_of_an_unknown_label_and_of_bad_json(
    teacher: Path, tmp_path: Path, write_rows: WriteRows
) -> None:
    path = write_rows(tmp_path / "dev.jsonl", [{"text": "a", "label": "pos"}, {"text": "b", "label": "mixed"}])
    assert f"{path}, line 2: the label 'mixed'" in error_of(invoke("evaluate", teacher, "--data", path))
    path.write_text('{"text": "a", "label": "pos"}\n{"text":\n')
    assert f"{path}, line 2: not valid JSON" in error_of(invoke("evaluate", teacher, "--data", path))


def test_evaluate_with_another_trunk_names_both_fingerprints(
    teacher: Path, task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in encoder_folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    data = task_folders[Kind.CLASSIFICATION] / "dev.jsonl"
    message = error_of(invoke("evaluate", teacher, "--data", data, "--encoder", other))
    assert load_checkpoint(teacher).record.trunk_fingerprint in message
    assert f"the encoder '{other}' has " in message


@pytest.mark.parametrize("task", ["../x", "trunk", "branch_a", ""])
def test_bad_task_name_is_refused_before_any_work(task: str, tmp_path: Path) -> None:
    message = error_of(invoke("finetune", tmp_path / "no data", "-L", 2, "--output", tmp_path / "out", "--task", task))
    assert repr(task) in message
    assert "--task NAME" in message
    assert not (tmp_path / "out").exists()


def test_hub_name_that_is_no_task_name_asks_for_one(tmp_path: Path) -> None:
    message = error_of(invoke("finetune", "hub:glue:sst2", "-L", 2, "--output", tmp_path / "out"))
    assert "--task NAME" in message


@pytest.mark.parametrize("verb", ["finetune", "distill"])
def test_existing_output_is_refused_before_any_work(verb: str, teacher: Path, tmp_path: Path) -> None:
    inputs = {"finetune": ["no_data", "-L", "2"], "distill": [str(teacher), "no_data", "-l", "1"]}[verb]
    message = error_of(invoke(verb, *inputs, "--output", tmp_path))
    assert "already exists" in message


def test_kind_and_metric_can_be_named(task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path) -> None:
    arguments = ["--encoder", encoder_folder, "--kind", "multi_label", "--metric", "f1_micro", "--task", "t", *QUICK]
    output = tmp_path / "out"
    data = task_folders[Kind.MULTI_LABEL]
    assert (
        invoke("finetune", data, "--teacher-layers", 1, "--output", output, *arguments, "--max-length", 24).exit_code
        == 0
    )
    record = load_checkpoint(output).record
    assert (record.kind, record.metric, record.task) == (Kind.MULTI_LABEL, "f1_micro", "t")


@pytest.mark.parametrize("verb", ["finetune", "distill", "evaluate"])
def test_documentation_names_every_option(verb: str) -> None:
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    for option in get_command(app).commands[verb].params:  # type: ignore[attr-defined]
        for name in option.opts:
            if name.startswith("-"):
                assert f"`{name}`" in documentation


def test_cache_lies_beside_the_checkpoint_and_has_the_gigabytes_of_the_option(
    task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = []

    def take_the_cache(*arguments: object) -> None:
        caches.append(arguments[-1])
        raise TrainingError("seen.")

    monkeypatch.setattr(training.trainer, "fine_tune", take_the_cache)
    output = tmp_path / "teachers" / "mood"
    for options in ([], ["--cache-gb", "0.5"], ["--cache-gb", "0"]):
        data = task_folders[Kind.CLASSIFICATION]
        result = invoke("finetune", data, "-L", 1, "--output", output, "--encoder", encoder_folder, *options)
        assert error_of(result) == "seen."
    assert caches == [Cache(output.parent, budget) for budget in (8 * 10**9, 5 * 10**8, 0)]
