import itertools
from collections import Counter
from dataclasses import replace

import pytest
import torch

from training.baselines.joint_training import train_jointly
from training.batches import Batch
from training.encoder import Encoder
from training.errors import NotFiniteError
from training.hyper_parameters import HyperParameters
from training.prepared_task import Loss, PreparedTask

Weights = dict[str, torch.Tensor]


def weights(encoder: Encoder) -> Weights:
    """Of embeddings and layers, copied."""
    state = encoder.network.state_dict().items()
    return {name: tensor.clone() for name, tensor in state if not name.startswith("pooler")}


def same(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one | other)


def test_tasks_of_every_kind_are_learnt_together(prepared: list[PreparedTask], brief: HyperParameters) -> None:
    _, scores = train_jointly(prepared, replace(brief, epochs=8, learning_rate=3e-3), "all")
    least = {
        "classification": 90,
        "pair_classification": 90,
        "pair_regression": 80,
        "tagging": 90,
        "multi_label": 60,
    }
    assert scores.keys() == least.keys()
    assert {task: score for task, score in scores.items() if score < least[task]} == {}


def test_the_callers_encoder_stays_as_it_was_and_every_layer_of_the_copy_is_trained(
    prepared: list[PreparedTask], encoder: Encoder, brief: HyperParameters
) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.network.state_dict().items()}
    trained, _ = train_jointly(prepared, brief, "all")
    assert same(dict(encoder.network.state_dict()), before)
    found = weights(trained)
    still = [name for name in found if torch.equal(found[name], before[name])]
    # A key's bias adds the same to all scores of a query, so softmax gives it no gradient but rounding noise.
    assert [name for name in still if not name.endswith("key.bias")] == []
    assert not trained.network.embeddings.training
    assert not trained.network.layers[-1].training


def test_an_epoch_has_every_row_of_every_task_once_and_batches_of_one_task_in_random_turns(
    prepared: list[PreparedTask], brief: HyperParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    hard_loss = PreparedTask.hard_loss

    def recording(task: PreparedTask, hyper: HyperParameters) -> Loss:
        loss = hard_loss(task, hyper)

        def record(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
            seen.append((task.name, tuple(batch.rows.tolist())))
            return loss(logits, batch)

        return record

    monkeypatch.setattr(PreparedTask, "hard_loss", recording)
    train_jointly(prepared, brief, "all")
    batches = sum(task.batches(brief) for task in prepared)
    first, second = seen[:batches], seen[batches:]
    once = Counter((task.name, row) for task in prepared for row in range(len(task.examples["train"])))
    for epoch in (first, second):
        assert Counter((name, row) for name, rows in epoch for row in rows) == once
        turns = [name for name, _ in epoch]
        assert sum(one != other for one, other in itertools.pairwise(turns)) >= len(prepared)
    assert [name for name, _ in first] != [name for name, _ in second]
    assert set(first) != set(second)


def test_the_epoch_with_the_best_mean_is_kept_though_another_is_better_for_a_task(
    prepared: list[PreparedTask], brief: HyperParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = {"classification": iter([90.0, 50.0, 10.0]), "tagging": iter([0.0, 60.0, 70.0])}
    at_epoch: list[Weights] = []

    def scored(task: PreparedTask, model: torch.nn.Module) -> dict[str, float]:
        if task.name == "tagging":
            at_epoch.append({name: tensor.clone() for name, tensor in model.states.trunk.state_dict().items()})
        return {task.metric: next(scripted[task.name])}

    monkeypatch.setattr(PreparedTask, "scores", scored)
    two = [task for task in prepared if task.name in scripted]
    trained, scores = train_jointly(two, replace(brief, epochs=3), "two")
    assert scores == {"classification": 50.0, "tagging": 60.0}
    found = weights(trained)
    outer = "layers.3.after_attention.outer.weight"
    kept = [torch.equal(found[outer], one[outer]) for one in at_epoch]
    assert kept == [False, True, False]


def test_same_seed_gives_the_same_model_and_another_seed_does_not(
    prepared: list[PreparedTask], brief: HyperParameters
) -> None:
    def train(seed: int) -> Weights:
        torch.rand(seed + 3)  # what was drawn before must not matter
        return weights(train_jointly(prepared[:2], replace(brief, epochs=1, seed=seed), "two")[0])

    first, again, other = train(1), train(1), train(2)
    assert same(first, again)
    assert not same(first, other)


def test_loss_that_is_no_number_says_which_training_it_was(
    prepared: list[PreparedTask], brief: HyperParameters
) -> None:
    with pytest.raises(NotFiniteError, match=r"joint training without rte: the loss is .* lower learning rate than 1e"):
        train_jointly(prepared, replace(brief, learning_rate=1e30), "joint training without rte")
