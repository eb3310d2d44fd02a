"""The loop on models of a few weights, with losses and dev scores made up by each test."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.errors import NotFiniteError
from training.hyper_parameters import HyperParameters
from training.loop import AfterEpoch, Fit, fit, go_on

# An epsilon far above every gradient and no momentum make Adam plain gradient descent with a rate of 0.1. Adam itself
# divides by the gradient's size: a loss scaled wrongly would not be seen.
GRADIENT_DESCENT = HyperParameters(
    learning_rate=1e3, epsilon=1e4, beta_1=0.0, weight_decay=0.0, warm_up=0.0, clip_norm=1e9, epochs=1
)
# Without memory Adam moves each weight by the learning rate of the moment, whatever the gradient.
SIGN_DESCENT = replace(GRADIENT_DESCENT, learning_rate=1.0, epsilon=1e-12, beta_2=0.0)


class Weights(nn.Module):
    """A bias of one number and a matrix of one number, both 1."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1))
        self.matrix = nn.Parameter(torch.ones(1, 1))


def train(
    model: Weights,
    hyper: HyperParameters,
    *,
    batches: int = 1,
    scores: Iterable[float] | None = None,
    loss: Callable[[], torch.Tensor] | None = None,
    seen: Callable[[], None] = lambda: None,
    after_epoch: AfterEpoch = go_on,
) -> Fit:
    """loss: the bias if not given. scores: of each epoch, rising if not given. seen: called before each batch."""
    of_epoch = iter(itertools.count() if scores is None else scores)

    def losses() -> Iterator[torch.Tensor]:
        for _ in range(batches):
            seen()
            yield loss() if loss else model.bias.sum()

    return fit(model, losses, batches, lambda: {"f1": next(of_epoch)}, "f1", hyper, "mood tap 2", after_epoch)


def regression(rows: int) -> tuple[torch.Tensor, torch.Tensor, nn.Linear]:
    """Inputs, targets and a linear model for them."""
    torch.manual_seed(0)
    return torch.randn(rows, 3), torch.randn(rows, 1), nn.Linear(3, 1)


def regression_weights(rows: int, batch_size: int, accumulation: int) -> torch.Tensor:
    """The model's weights after one epoch in the loop."""
    x, y, model = regression(rows)
    starts = range(0, rows, batch_size)

    def losses() -> Iterator[torch.Tensor]:
        for start in starts:
            end = start + batch_size
            yield functional.mse_loss(model(x[start:end]), y[start:end])

    hyper = replace(GRADIENT_DESCENT, accumulation=accumulation)
    fit(model, losses, len(starts), lambda: {"f1": 0.0}, "f1", hyper, "title")
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def descended_weights(rows: int, batch_size: int) -> torch.Tensor:
    """The same by gradient descent as the textbook has it, with the loop's decay of the rate."""
    x, y, model = regression(rows)
    starts = range(0, rows, batch_size)
    for number, start in enumerate(starts):
        loss = functional.mse_loss(model(x[start : start + batch_size]), y[start : start + batch_size])
        rate = 0.1 * min(1.0, (len(starts) - number) / max(1, len(starts) - 1))
        for weight, gradient in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            weight.data -= rate * gradient
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("rows", [8, 16, 20])  # of 20 the last group has one batch, not two
def test_accumulating_batches_trains_as_one_big_batch_does(rows: int) -> None:
    expected = descended_weights(rows, 8)
    torch.testing.assert_close(regression_weights(rows, 8, 1), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(regression_weights(rows, 4, 2), expected, rtol=0, atol=1e-4)
    assert (regression_weights(rows, 4, 1) - expected).abs().max() > 1e-2  # other steps would be seen


def test_group_larger_than_the_epoch_is_one_step_of_the_mean() -> None:
    torch.testing.assert_close(regression_weights(12, 4, 100), descended_weights(12, 12), rtol=0, atol=1e-4)


def test_learning_rate_warms_up_and_decays_over_steps_not_batches() -> None:
    model, at = Weights(), []
    hyper = replace(SIGN_DESCENT, accumulation=2, epochs=2, warm_up=1 / 3)
    train(model, hyper, batches=5, seen=lambda: at.append(model.bias.item()))  # 3 steps per epoch, 2 of 6 to warm up
    at.append(model.bias.item())
    begins = [0, 2, 4, 5, 7, 9, 10]  # of each group of batches, and the end
    rates = [at[one] - at[other] for one, other in itertools.pairwise(begins)]
    assert rates == pytest.approx([1 / 2, 1, 1, 3 / 4, 2 / 4, 1 / 4], abs=1e-5)
    assert [at[one] == at[one - 1] for one in (1, 3, 6, 8)] == [True] * 4  # no step within a group


def test_warm_up_of_nothing_starts_at_the_whole_rate_and_one_step_is_taken_whole() -> None:
    for batches, expected in ((1, [1.0]), (4, [1.0, 1.0, 2 / 3, 1 / 3])):
        model, at = Weights(), []
        train(model, SIGN_DESCENT, batches=batches, seen=lambda at=at, model=model: at.append(model.bias.item()))
        at.append(model.bias.item())
        assert [one - other for one, other in itertools.pairwise(at)] == pytest.approx(expected, abs=1e-5)


def test_weights_decay_but_biases_and_layer_norms_do_not() -> None:
    model = Weights()
    train(model, replace(SIGN_DESCENT, weight_decay=0.25), loss=lambda: 0 * (model.bias.sum() + model.matrix.sum()))
    assert (model.matrix.item(), model.bias.item()) == (0.75, 1.0)


def test_gradients_are_clipped_to_the_norm() -> None:
    model = Weights()
    train(
        model,
        replace(GRADIENT_DESCENT, clip_norm=1.0),
        loss=lambda: 3 * model.bias.sum() + 4 * model.matrix.sum(),
    )
    assert (model.bias.item(), model.matrix.item()) == pytest.approx((1 - 0.1 * 3 / 5, 1 - 0.1 * 4 / 5), abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "patience", "first_epoch", "best", "trained"),
    [
        ([10, 9, 11, 9, 8, 7], 2, 1, 3, 5),
        ([10, 10, 10, 10], 2, 1, 1, 3),  # an equal score is no better one
        ([10, 9, 11, 9, 12], 2, 1, 5, 5),
        ([10, 9, 8, 7], 0, 1, 1, 4),
        ([90, 80, 70, 60, 50], 1, 3, 3, 4),  # what may not be kept does not count either
        ([90, 50, 60], 0, 2, 3, 3),
        ([90, 50, 95], 0, 3, 3, 3),
        ([0, 0, 0], 0, 1, 1, 3),
    ],
)
def test_training_keeps_the_best_epoch_that_may_be_kept_and_stops_when_patience_ends(
    scores: list[float], patience: int, first_epoch: int, best: int, trained: int
) -> None:
    model, at_end_of, told = Weights(), {}, []

    def after_epoch(epoch: int, score: float) -> None:
        at_end_of[epoch] = model.bias.item()
        told.append((epoch, score))

    hyper = replace(SIGN_DESCENT, epochs=len(scores), patience=patience, first_epoch=first_epoch)
    result = train(model, hyper, scores=scores, after_epoch=after_epoch)
    assert (result.best_epoch, result.scores) == (best, {"f1": scores[best - 1]})
    assert result.epochs == {epoch: scores[epoch - 1] for epoch in range(1, trained + 1)}
    assert told == list(result.epochs.items())
    assert len(set(at_end_of.values())) == trained
    assert model.bias.item() == at_end_of[best]


def test_scores_are_all_those_of_the_best_epoch() -> None:
    model = Weights()
    scores = iter([{"f1": 1.0, "recall": 9.0}, {"f1": 3.0, "recall": 2.0}, {"f1": 2.0, "recall": 8.0}])
    hyper = replace(SIGN_DESCENT, epochs=3)
    result = fit(model, lambda: iter([model.bias.sum()]), 1, lambda: next(scores), "f1", hyper, "title")
    assert result == Fit(2, {"f1": 3.0, "recall": 2.0}, {1: 1.0, 2: 3.0, 3: 2.0})


def test_model_trains_in_training_mode_whatever_scoring_leaves_and_ends_in_evaluation_mode() -> None:
    model, modes = Weights(), []
    left_by_scoring = iter([False, False, True])

    def evaluate() -> dict[str, float]:
        model.train(next(left_by_scoring))
        return {"f1": 1.0}

    def losses() -> Iterator[torch.Tensor]:
        modes.append(model.training)
        yield model.bias.sum()

    fit(model, losses, 1, evaluate, "f1", replace(SIGN_DESCENT, epochs=3), "title")
    assert modes == [True, True, True]
    assert not model.training


def test_frozen_weights_stay_as_they_are() -> None:
    model = Weights()
    model.matrix.requires_grad_(requires_grad=False)
    train(model, replace(SIGN_DESCENT, weight_decay=0.25))
    assert (model.matrix.item(), model.bias.item()) == (1.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_loss_that_is_no_number_names_training_epoch_and_learning_rate(value: float) -> None:
    model = Weights()
    losses = iter([1.0, 1.0, 1.0, value])
    with pytest.raises(NotFiniteError) as error:
        train(
            model,
            replace(SIGN_DESCENT, epochs=3, learning_rate=2e-05),
            batches=2,
            loss=lambda: next(losses) * model.bias.sum(),
        )
    assert str(error.value) == f"mood tap 2: the loss is {value} in epoch 2; try a lower learning rate than 2e-05."


def test_what_after_epoch_raises_ends_the_training() -> None:
    class PrunedError(Exception):
        pass

    model, told, batches = Weights(), [], []

    def after_epoch(epoch: int, score: float) -> None:
        told.append((epoch, score))
        if epoch == 2:
            raise PrunedError

    hyper = replace(SIGN_DESCENT, epochs=5)
    with pytest.raises(PrunedError):
        train(model, hyper, scores=[30, 20], seen=lambda: batches.append(1), after_epoch=after_epoch)
    assert told == [(1, 30), (2, 20)]
    assert len(batches) == 2
