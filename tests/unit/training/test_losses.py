"""Losses against values computed by hand with math.exp and math.log."""

import math

import pytest
import torch

from training.batches import Batch, make_batch
from training.kinds import Kind
from training.losses import hard_loss, soft_loss, training_logits
from training.tokenization import NOT_SEEN, Tokens


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
