import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from training.adoption.original import Original
from training.checkpoint import load_checkpoint
from training.cli import app
from training.errors import TrainingError
from training.kinds import Kind
from training.report.analysis.predicted import Predicted
from training.report.collected_results import collect_results
from training.report.predictions import predict_all
from training.search.result import read_result
from training.selection.mixed import mixed

Rows = list[dict[str, Any]]
QUICK = ["--batch-size", "8", "--learning-rate", "2e-3"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(result: Result) -> str:
    """The one sentence that `espalier` prints."""
    assert result.exit_code == 1
    assert isinstance(result.exception, TrainingError), result.exception
    return str(result.exception)


def test_distill_makes_a_branch_of_a_model_and_says_what_it_costs(
    original_folders: dict[Kind, Path], task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path
) -> None:
    kind, output = Kind.PAIR_CLASSIFICATION, tmp_path / "branch"
    options = ["--tap", 1, "--max-length", 20, "--task", "same_or_not", "--metric", "f1_macro", "--epochs", 2, *QUICK]
    result = invoke(
        "distill",
        "--teacher",
        original_folders[kind],
        task_folders[kind],
        "-l",
        2,
        "--output",
        output,
        "--encoder",
        encoder_folder,
        *options,
    )
    assert result.exit_code == 0, result.output
    record = load_checkpoint(output).record
    assert (record.task, record.tap, record.layers, record.max_length) == ("same_or_not", 1, 2, 20)
    assert (record.metric, record.labels, record.training.role) == ("f1_macro", ["same", "different"], "student")
    assert record.training.teacher is not None
    assert record.training.teacher["architecture"] == "DistilBertForSequenceClassification"
    assert f"same_or_not: f1_macro {record.scores['f1_macro']:.2f} (" in result.stdout
    assert "the original (3 layers" in result.stdout


def test_a_branch_that_learned_from_a_model_can_be_distilled_and_evaluated_as_any(
    original_folders: dict[Kind, Path], task_folders: dict[Kind, Path], encoder_folder: Path, tmp_path: Path
) -> None:
    kind, output = Kind.CLASSIFICATION, tmp_path / "branch"
    model, data = original_folders[kind], task_folders[kind]
    common = ["--encoder", encoder_folder, "--epochs", 1, *QUICK]
    result = invoke("distill", "--teacher", model, data, "-l", 2, "--max-length", 24, "--output", output, *common)
    assert result.exit_code == 0, result.exception
    result = invoke("distill", output, data, "-l", 1, "--output", tmp_path / "smaller", *common)
    assert result.exit_code == 0, result.exception
    assert load_checkpoint(tmp_path / "smaller").record.labels == ["pos", "neg"]  # the model's order, not the data's
    result = invoke("evaluate", output, "--model", model, "--data", data / "dev.jsonl", "--json")
    assert result.exit_code == 0, result.output
    branch, original = (json.loads(line) for line in result.stdout.splitlines())
    assert branch["scores"] == load_checkpoint(output).record.scores
    assert original == {
        "model": str(model),
        "metric": "accuracy",
        "rows": 24,
        "scores": {"accuracy": 100.0, "f1_macro": 100.0, "matthews": 100.0, "f1": 100.0},
        "standard_error": 0.0,
    }


def test_evaluate_scores_a_model_alone(original_folders: dict[Kind, Path], task_folders: dict[Kind, Path]) -> None:
    kind = Kind.TAGGING
    result = invoke("evaluate", "--model", original_folders[kind], "--data", task_folders[kind] / "dev.jsonl")
    assert result.stdout.startswith(f"{original_folders[kind]}: span_f1 100.00 (")


def test_evaluate_of_nothing_says_what_to_give(tmp_path: Path) -> None:
    assert "give a checkpoint, --model MODEL, or both" in error_of(invoke("evaluate", "--data", tmp_path / "x.jsonl"))


@pytest.mark.parametrize("labelled", [True, False])
def test_search_finds_tap_and_layers_for_a_model(
    original_folders: dict[Kind, Path],
    originals: dict[Kind, Original],
    rows_of: Callable[[Kind], Rows],
    write_rows: Callable[[Path, Rows], Path],
    encoder_folder: Path,
    tmp_path: Path,
    labelled: bool,
) -> None:
    kind, data = Kind.CLASSIFICATION, tmp_path / "mood"
    for split in ("train", "dev"):
        rows = [row if labelled else {"text": row["text"]} for row in rows_of(kind)]
        write_rows(data / f"{split}.jsonl", rows)
    output = tmp_path / "found"
    arguments = [data, "--teacher", original_folders[kind], "--output", output, "--encoder", encoder_folder]
    arguments += ["-L", "1-2", "-l", "1", "--epochs", "3-3", "--max-length", 24, "--tolerance", 0, *QUICK]
    result = invoke("search", *arguments)
    assert result.exit_code == 0, result.output
    found = read_result(output)
    assert list(found.best("teacher")) == [1, 2]
    assert found.labels == ["pos", "neg"]
    assert "the original (3 layers" in result.stdout
    for trial in found.finished("teacher"):
        checkpoint = load_checkpoint(output / str(trial.checkpoint)).record
        assert (checkpoint.training.role, checkpoint.tap) == ("teacher", 4 - trial.layers)
        assert checkpoint.training.teacher is not None
        assert checkpoint.training.teacher["sha256"] == originals[kind].sha256
    for trial in found.finished("student"):
        student = load_checkpoint(output / str(trial.checkpoint)).record
        assert student.training.teacher is not None
        assert student.training.teacher["training"]["teacher"]["sha256"] == originals[kind].sha256
    results = collect_results([output])
    (predicted,) = predict_all(results, mixed(results.options, 1), lambda _: None).values()
    if labelled:
        assert isinstance(predicted, Predicted)
        assert len(predicted.golds) == 24
    else:
        assert "has a label to hold an answer against" in str(predicted)
    other = [one if one != original_folders[kind] else original_folders[Kind.MULTI_LABEL] for one in arguments]
    assert "answers tasks of kind multi_label" in error_of(invoke("search", *other, "--kind", "classification"))
    if labelled:
        without = [one for one in arguments if one not in ("--teacher", original_folders[kind])]
        assert "holds a search with original " in error_of(invoke("search", *without))


def test_options_of_the_other_kind_of_teacher_are_refused(original_folders: dict[Kind, Path], tmp_path: Path) -> None:
    common = ["-l", 1, "--output", tmp_path / "out"]
    for option, value in (
        ("--tap", 1),
        ("--task", "t"),
        ("--kind", "tagging"),
        ("--metric", "f1"),
        ("--max-length", 9),
    ):
        message = error_of(invoke("distill", tmp_path, "data", option, value, *common))
        assert f"{option} goes with --teacher MODEL" in message
    model = original_folders[Kind.TAGGING]
    assert "takes the teacher's checkpoint and the data" in error_of(invoke("distill", "data", *common))
    message = error_of(invoke("distill", "a", "data", "--teacher", model, *common))
    assert "takes the data alone, as --teacher names the teacher; it got a data" in message


def test_a_model_given_as_a_checkpoint_is_sent_to_teacher(original_folders: dict[Kind, Path], tmp_path: Path) -> None:
    message = error_of(invoke("distill", original_folders[Kind.TAGGING], "data", "-l", 1, "--output", tmp_path / "out"))
    assert "a model of transformers is given as --teacher" in message


def test_a_tap_that_does_not_fit_is_refused_before_the_model_is_asked(
    original_folders: dict[Kind, Path],
    task_folders: dict[Kind, Path],
    encoder_folder: Path,
    tmp_path: Path,
    own_cache: Path,
) -> None:
    kind = Kind.TAGGING
    arguments = [
        "--teacher",
        original_folders[kind],
        task_folders[kind],
        "-l",
        2,
        "--tap",
        3,
        "--output",
        tmp_path / "o",
    ]
    message = error_of(invoke("distill", *arguments, "--encoder", encoder_folder))
    assert "2 layers on tap 3 does not fit an encoder of 4 layers" in message
    assert not own_cache.exists()
