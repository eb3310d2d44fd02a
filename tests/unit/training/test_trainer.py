import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import training.prepared_task
from training.checkpoint import Checkpoint
from training.data import Example, TaskData
from training.encoder import Encoder, load_encoder
from training.errors import TrainingError
from training.evaluator import evaluate
from training.fingerprint import trunk_fingerprints
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.model import Trunk, new_branch
from training.prepared_task import PreparedTask
from training.stored_states import Cache
from training.task_model import TaskModel
from training.trainer import fine_tune
from training.trainer_distillation import distill

MAIN_METRIC = {
    Kind.CLASSIFICATION: "accuracy",
    Kind.PAIR_CLASSIFICATION: "accuracy",
    Kind.PAIR_REGRESSION: "pearson",
    Kind.TAGGING: "span_f1",
    Kind.MULTI_LABEL: "f1_macro",
}


def weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return checkpoint.branch.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_defaults_are_those_of_the_papers_table_4() -> None:
    hyper = HyperParameters()
    assert (hyper.learning_rate, hyper.batch_size, hyper.epochs, hyper.weight_decay) == (2e-5, 32, 3, 0.01)
    assert (hyper.beta_1, hyper.beta_2, hyper.epsilon) == (0.9, 0.999, 1e-6)


@pytest.mark.parametrize("kind", list(Kind))
def test_training_learns_a_separable_task_of_each_kind(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters, kind: Kind
) -> None:
    longer = replace(hyper, epochs=60, batch_size=4)
    checkpoint = fine_tune(tasks[kind], "task", encoder, layers=3, hyper=longer)
    assert checkpoint.record.metric == MAIN_METRIC[kind]
    assert checkpoint.record.scores[MAIN_METRIC[kind]] > 95


def test_training_leaves_the_encoder_as_it_was(
    tasks: dict[Kind, TaskData], encoder_folder: Path, hyper: HyperParameters
) -> None:
    encoder = load_encoder(str(encoder_folder))
    before = {name: tensor.clone() for name, tensor in encoder.network.state_dict().items()}
    chain = trunk_fingerprints(encoder, 4)
    checkpoint = fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, layers=2, hyper=hyper)
    assert same(before, dict(encoder.network.state_dict()))
    assert trunk_fingerprints(encoder, 4) == chain
    start = new_branch(encoder, 2, 2, per_token=False).state_dict()
    still = [name for name, tensor in weights(checkpoint).items() if torch.equal(tensor, start[name])]
    # A key's bias adds the same to all scores of a query, so softmax gives it no gradient but rounding noise.
    assert [name for name in still if not name.endswith("key.bias")] == []


def test_record_says_what_was_trained_and_how(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    data = tasks[Kind.CLASSIFICATION]
    short = replace(hyper, epochs=2, seed=5)
    record = fine_tune(data, "sentiment", encoder, layers=1, hyper=short, metric="matthews").record
    assert (record.task, record.kind, record.labels, record.metric) == (
        "sentiment",
        data.kind,
        ["neg", "pos"],
        "matthews",
    )
    assert (record.tap, record.layers, record.max_length) == (3, 1, 24)
    assert record.trunk_fingerprint == trunk_fingerprints(encoder, 4)[3]
    assert (record.encoder.name, record.encoder.layers, record.encoder.config) == (encoder.name, 4, encoder.config)
    made = record.training
    assert (made.role, made.teacher, made.data, made.data_sha256) == ("teacher", None, data.source, data.sha256)
    assert (made.train_rows, made.dev_rows, made.seed) == (24, 24, 5)
    assert made.best_epoch in (1, 2)
    assert made.hyper_parameters["learning_rate"] == 2e-3
    assert "seed" not in made.hyper_parameters


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.TAGGING])
def test_scores_and_golden_logits_are_those_of_the_weights_that_were_kept(
    teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], encoder: Encoder, kind: Kind
) -> None:
    checkpoint, data = teachers[kind], tasks[kind]
    record, trunk = checkpoint.record, Trunk(encoder, [1])
    scores = evaluate(trunk, checkpoint.branch, checkpoint.tokenizer, data.dev, kind, data.labels, record.max_length)
    assert scores == record.scores
    assert not checkpoint.branch.training
    encoding = encoder.tokenizer.encode(checkpoint.golden[0]["text"])
    ids, mask, types = (torch.tensor([one]) for one in (encoding.ids, encoding.attention_mask, encoding.type_ids))
    with torch.no_grad():
        expected = checkpoint.branch(trunk(ids, mask, types)[-1], mask)[0]
    torch.testing.assert_close(torch.tensor(checkpoint.golden[0]["logits"]), expected, rtol=0, atol=1e-6)


def test_same_seed_gives_the_same_weights_and_another_seed_does_not(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    def train(seed: int) -> dict[str, torch.Tensor]:
        torch.rand(seed + 3)  # what was drawn before must not matter
        short = replace(hyper, epochs=1, seed=seed)
        return weights(fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, layers=2, hyper=short))

    first, again, other = train(1), train(1), train(2)
    assert same(first, again)
    assert not same(first, other)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """Dev scores as given by the test, one per epoch; yields the branch's weights at each of them."""
    accuracies, seen = iter(request.param), []

    def scored(task: PreparedTask, model: TaskModel) -> dict[str, float]:  # noqa: ARG001
        seen.append({name: tensor.clone() for name, tensor in model.branch.state_dict().items()})
        return {"accuracy": next(accuracies)}

    monkeypatch.setattr(PreparedTask, "scores", scored)
    yield seen
    assert next(accuracies, None) is None


@pytest.mark.parametrize(
    ("scripted", "best"), [([10, 30, 20], 2), ([10, 30, 30], 2), ([0, 0, 0], 1)], indirect=["scripted"]
)
def test_best_epoch_on_dev_is_kept_and_the_earliest_of_equals(
    scripted: list[dict[str, Any]], best: int, tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    three = replace(hyper, epochs=3)
    checkpoint = fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, layers=2, hyper=three)
    assert checkpoint.record.training.best_epoch == best
    assert [same(weights(checkpoint), one) for one in scripted] == [epoch == best for epoch in (1, 2, 3)]


def test_loss_that_is_no_number_ends_in_a_clear_error(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    with pytest.raises(TrainingError, match=r"mood .*: the loss is (nan|inf) in epoch 1; try a lower learning rate"):
        fine_tune(tasks[Kind.CLASSIFICATION], "mood", encoder, 2, replace(hyper, learning_rate=1e30))


def test_weights_that_explode_in_the_last_step_are_not_kept(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    single = replace(hyper, learning_rate=1e30, epochs=1, batch_size=100)
    with pytest.raises(TrainingError, match="lower learning rate"):
        fine_tune(tasks[Kind.CLASSIFICATION], "mood", encoder, 2, single)


@pytest.mark.parametrize("layers", [-1, 0, 4, 5])
def test_l_that_leaves_no_trunk_or_no_branch_is_refused(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters, layers: int
) -> None:
    with pytest.raises(TrainingError, match=rf"L must be 1\.\.3 for an encoder of 4 layers .*, not {layers}"):
        fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, layers, hyper)


@pytest.mark.parametrize("max_length", [3, 65])
def test_maximum_length_beyond_the_encoders_positions_is_refused(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters, max_length: int
) -> None:
    refusal = rf"length of {max_length} tokens does not suit .*: give a --max-length of 4 to 64"
    with pytest.raises(TrainingError, match=refusal):
        fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, 2, replace(hyper, max_length=max_length))


def test_metric_of_another_kind_is_refused_before_training(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    with pytest.raises(TrainingError, match="'pearson' is not a metric of classification tasks"):
        fine_tune(tasks[Kind.CLASSIFICATION], "task", encoder, 2, hyper, metric="pearson")


def test_tagging_row_in_which_no_word_has_a_token_does_not_stop_training(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    data = tasks[Kind.TAGGING]
    unseen = Example("\u200b \u200b", ("O", "O"), words=((0, 1), (2, 3)))
    with_it = replace(data, train=[unseen, *data.train[:3]])
    checkpoint = fine_tune(with_it, "slots", encoder, 2, replace(hyper, batch_size=1, epochs=1))
    assert all(torch.isfinite(tensor).all() for tensor in weights(checkpoint).values())
    assert math.isfinite(checkpoint.record.scores["span_f1"])


@pytest.mark.parametrize("kind", [Kind.PAIR_CLASSIFICATION, Kind.TAGGING])
def test_teacher_and_student_trained_with_a_cache_are_those_trained_without_one(
    tasks: dict[Kind, TaskData],
    encoder: Encoder,
    hyper: HyperParameters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
) -> None:
    """The same but for rounding, with the frozen layers computed once."""
    data, exact = tasks[kind], replace(hyper, precision=TrainingPrecision.FP32)
    teacher = fine_tune(data, "task", encoder, 3, exact)
    student = distill(teacher, data, encoder, 1, exact)
    monkeypatch.setattr(training.prepared_task, "ComputedStates", None)  # no epoch may run the trunk
    cache = Cache(tmp_path, 10**9)
    cached_teacher = fine_tune(data, "task", encoder, 3, exact, cache=cache)
    cached_student = distill(teacher, data, encoder, 1, exact, cache=cache)
    for cached, expected in ((cached_teacher, teacher), (cached_student, student)):
        assert cached.record.scores == expected.record.scores
        assert cached.record.training == expected.record.training
        for row, expected_row in zip(cached.golden, expected.golden, strict=True):
            assert np.asarray(row["logits"]) == pytest.approx(np.asarray(expected_row["logits"]), abs=2e-2)
    assert list(tmp_path.iterdir()) == []
