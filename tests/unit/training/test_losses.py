"""Losses against values computed by hand with math.exp and math.log."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score
from sklearn.utils.class_weight import compute_class_weight

from training.batches import Batch, make_batch
from training.data import Example, TaskData
from training.encoder import Encoder
from training.evaluator import decode, logits_of
from training.hyper_parameters import ClassWeights, HyperParameters
from training.kinds import Kind
from training.losses import balanced_weights, hard_loss, soft_loss, training_logits
from training.prepared_task import PreparedTask
from training.tokenization import NOT_SEEN, Tokens
from training.trainer import fine_tune_branch


def softmax(*values: float) -> list[float]:
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def tagging_batch() -> Batch:
    tokens = [Tokens([2, 7, 8, 9, 3], [0] * 5, [1, 3]), Tokens([2, 7, 3], [0] * 3, [1, NOT_SEEN])]
    return make_batch(tokens, [[0, 1], [1, 0]], Kind.TAGGING)


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION])
def test_hard_loss_of_classes_is_the_mean_cross_entropy(kind: Kind) -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
    expected = -(math.log(softmax(2, 0, -1)[0]) + math.log(softmax(0.5, 1, 0)[2])) / 2
    assert hard_loss(logits, torch.tensor([0, 2]), kind).item() == pytest.approx(expected, rel=1e-5)


def test_hard_loss_of_a_value_is_the_mean_squared_error() -> None:
    loss = hard_loss(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0]), Kind.PAIR_REGRESSION)
    assert loss.item() == pytest.approx((1 + 4) / 2)


def test_hard_loss_of_many_labels_is_the_mean_binary_cross_entropy() -> None:
    loss = hard_loss(torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 1.0]]), Kind.MULTI_LABEL)
    assert loss.item() == pytest.approx(-(math.log(sigmoid(2)) + math.log(sigmoid(-1))) / 2, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_soft_loss_of_classes_is_t_squared_times_the_divergence_of_softened_outputs(temperature: float) -> None:
    student, teacher = [[1.0, 0.0], [0.0, 3.0]], [[2.0, -2.0], [0.0, 3.0]]
    loss = soft_loss(torch.tensor(student), torch.tensor(teacher), Kind.CLASSIFICATION, temperature)
    p, q = (softmax(*(value / temperature for value in rows[0])) for rows in (teacher, student))
    expected = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 2  # the second row adds nothing
    assert loss.item() == pytest.approx(temperature**2 * expected, rel=1e-5)


def test_soft_loss_of_many_labels_uses_softened_probabilities() -> None:
    loss = soft_loss(torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 0.0]]), Kind.MULTI_LABEL, 2.0)
    expected = -sum(
        sigmoid(t / 2) * math.log(sigmoid(s / 2)) + (1 - sigmoid(t / 2)) * math.log(1 - sigmoid(s / 2))
        for s, t in ((1, 3), (-2, 0))
    )
    assert loss.item() == pytest.approx(4 * expected / 2, rel=1e-5)


def test_soft_loss_of_a_value_has_no_temperature() -> None:
    student, teacher = torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0])
    for temperature in (1.0, 2.0, 5.0):
        loss = soft_loss(student, teacher, Kind.PAIR_REGRESSION, temperature)
        assert loss.item() == pytest.approx(2.5)


def test_tagging_learns_from_first_sub_words_only() -> None:
    batch = tagging_batch()
    logits = torch.zeros(2, 5, 2)
    logits[0, 1], logits[0, 3], logits[1, 1] = torch.tensor([1.0, 0]), torch.tensor([2.0, 0]), torch.tensor([3.0, 0])
    logits.requires_grad_()
    chosen = training_logits(logits, batch, Kind.TAGGING)
    assert chosen.tolist() == [[1, 0], [2, 0], [3, 0]]
    loss = hard_loss(chosen, batch.targets, Kind.TAGGING)
    expected = -(math.log(softmax(1, 0)[0]) + math.log(softmax(2, 0)[1]) + math.log(softmax(3, 0)[1])) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(dim=-1).nonzero().tolist() == [[0, 1], [0, 3], [1, 1]]


def test_regression_logits_lose_their_last_axis_and_others_do_not() -> None:
    batch = tagging_batch()
    assert training_logits(torch.zeros(3, 1), batch, Kind.PAIR_REGRESSION).shape == (3,)
    assert training_logits(torch.zeros(1, 1), batch, Kind.PAIR_REGRESSION).shape == (1,)
    assert training_logits(torch.zeros(3, 4), batch, Kind.CLASSIFICATION).shape == (3, 4)


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION, Kind.TAGGING])
def test_balanced_weights_are_scikit_learns(kind: Kind) -> None:
    targets = torch.tensor([0] * 12 + [2] * 1 + [1] * 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets.numpy())
    weights = balanced_weights(targets, kind, 3)
    assert weights.dtype is torch.float32
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_declared_label_without_examples_weighs_1_and_the_others_stay_balanced() -> None:
    weights = balanced_weights(torch.tensor([0, 0, 0, 2]), Kind.CLASSIFICATION, 4).tolist()
    assert (weights[1], weights[3]) == (1.0, 1.0)
    assert 3 * weights[0] == pytest.approx(weights[2])


def test_positive_examples_of_a_rare_label_weigh_as_much_as_its_negative_ones() -> None:
    targets = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    weights = balanced_weights(targets, Kind.MULTI_LABEL, 3)
    assert weights.dtype is torch.float32
    assert weights[0].item() == 4  # one of five
    assert weights[1].item() == 1  # none: nothing to divide by


@pytest.mark.parametrize("examples", [4, 5])
def test_label_that_most_or_all_examples_have_is_not_weighed_down(examples: int) -> None:
    targets = torch.tensor([[1.0]] * examples + [[0.0]] * (5 - examples))
    assert balanced_weights(targets, Kind.MULTI_LABEL, 1).tolist() == [1.0]


def test_weighted_loss_of_classes_is_the_weighted_mean() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
    loss = hard_loss(logits, torch.tensor([0, 2]), Kind.CLASSIFICATION, torch.tensor([0.5, 7.0, 2.0]))
    expected = -(0.5 * math.log(softmax(2, 0, -1)[0]) + 2 * math.log(softmax(0.5, 1, 0)[2])) / (0.5 + 2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_weighted_loss_of_many_labels_weighs_positive_examples_only() -> None:
    logits, targets = torch.tensor([[2.0, -1.0], [1.0, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = hard_loss(logits, targets, Kind.MULTI_LABEL, torch.tensor([3.0, 5.0]))
    positive = 3 * math.log(sigmoid(2)) + 5 * math.log(sigmoid(3))
    negative = math.log(sigmoid(1)) + math.log(sigmoid(-1))
    assert loss.item() == pytest.approx(-(positive + negative) / 4, rel=1e-5)


def doubtful_texts(kind: Kind) -> TaskData:
    """3 of the 10 rows with "bad" have the rare class. No model can tell which, so the loss decides the answer."""
    answers = [("good", "usual", 12), ("bad", "usual", 7), ("bad", "rare", 3)]
    rows = [
        Example(f"it was {word}", (label,) if kind is Kind.MULTI_LABEL else label)
        for word, label, times in answers
        for _ in range(times)
    ]
    return TaskData("memory", kind, ("rare", "usual"), rows, rows, "0")


def recall_of_rare(data: TaskData, encoder: Encoder, hyper: HyperParameters) -> float:
    task = PreparedTask(data, "task", encoder, 24)
    branch, _ = fine_tune_branch(task, 1, hyper)
    logits = logits_of(task.model("dev", branch, encoder.layers - 1), task.tokens["dev"], data.kind)
    answers = [
        decode(one, tokens, data.kind, data.labels) for one, tokens in zip(logits, task.tokens["dev"], strict=True)
    ]
    found = ["rare" in answer for answer in answers]
    return float(recall_score(["rare" in example.label for example in data.dev], found))


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.MULTI_LABEL])
def test_balanced_class_weights_raise_the_recall_of_a_rare_class(
    encoder: Encoder, hyper: HyperParameters, kind: Kind
) -> None:
    data = doubtful_texts(kind)
    longer = replace(hyper, learning_rate=5e-3, epochs=20, first_epoch=20)
    balanced = replace(longer, class_weights=ClassWeights.BALANCED)
    assert recall_of_rare(data, encoder, longer) == 0
    assert recall_of_rare(data, encoder, balanced) == 1
