from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.baselines.baseline_checkpoint import baseline_record, load_baseline, save_baseline
from training.baselines.full_fine_tuning import fully_fine_tune
from training.batches import make_inputs
from training.checkpoint import load_checkpoint
from training.checkpoint_scores import CheckpointScorer
from training.data import TaskData
from training.encoder import Encoder
from training.errors import TrainingError
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.prepared_task import PreparedTask
from training.task_model import FullModel


@pytest.fixture
def saved(
    tmp_path: Path, tasks: dict[Kind, TaskData], encoder: Encoder, brief: HyperParameters
) -> tuple[Path, FullModel]:
    """A fully fine-tuned tagger: its checkpoint and the model that was saved."""
    task = PreparedTask(tasks[Kind.TAGGING], "slots", encoder, max_length=24)
    model, fit = fully_fine_tune(task, replace(brief, learning_rate=3e-3))
    record = baseline_record(task, "full", fit.scores, brief)
    save_baseline(tmp_path / "full", record, model, encoder.tokenizer)
    return tmp_path / "full", model


def test_a_baseline_answers_as_before_and_evaluate_scores_it(
    saved: tuple[Path, FullModel], encoder: Encoder, tasks: dict[Kind, TaskData]
) -> None:
    folder, model = saved
    loaded = load_baseline(folder, encoder)
    tokens = PreparedTask(tasks[Kind.TAGGING], "slots", encoder, max_length=24).tokens["dev"]
    inputs = make_inputs(tokens, range(len(tokens)))
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(inputs), model.eval()(inputs), rtol=0, atol=1e-6)
    scored = CheckpointScorer().score(folder, Path(tasks[Kind.TAGGING].source) / "dev.jsonl")
    assert (scored.task, scored.scores) == ("slots", loaded.record.scores)


def test_what_serves_branches_refuses_a_baseline_with_the_reason(saved: tuple[Path, FullModel]) -> None:
    with pytest.raises(TrainingError, match=r"shares no trunk with other tasks, so it cannot be built"):
        load_checkpoint(saved[0])


def test_a_damaged_baseline_is_named(saved: tuple[Path, FullModel], encoder: Encoder) -> None:
    (saved[0] / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(TrainingError, match=r"weights.safetensors is missing or damaged"):
        load_baseline(saved[0], encoder)
