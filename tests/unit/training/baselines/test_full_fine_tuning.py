from dataclasses import replace

import pytest
import torch

from training.baselines.full_fine_tuning import fully_fine_tune
from training.batches import make_inputs
from training.data import TaskData
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.model import Trunk
from training.prepared_task import PreparedTask
from training.task_model import FullModel


def copy_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


class _LearntError(Exception):
    """Ends a training early."""


def until_learnt(_epoch: int, score: float) -> None:
    if score > 95:
        raise _LearntError


@pytest.mark.parametrize("kind", list(Kind))
def test_full_fine_tuning_learns_each_kind(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters, kind: Kind
) -> None:
    task = PreparedTask(tasks[kind], "task", encoder, max_length=24)
    with pytest.raises(_LearntError):
        fully_fine_tune(task, replace(hyper, learning_rate=3e-3, batch_size=2, epochs=40), until_learnt)


def test_every_weight_is_trained_embeddings_too_and_the_encoder_stays_as_it_was(
    tasks: dict[Kind, TaskData], encoder: Encoder, brief: HyperParameters
) -> None:
    task = PreparedTask(tasks[Kind.PAIR_CLASSIFICATION], "task", encoder, max_length=24)
    Trunk(encoder, [2])  # freezes the shared embeddings, as an earlier trial does
    before = copy_of(encoder.network)
    model, _ = fully_fine_tune(task, brief)
    assert changed(before, copy_of(encoder.network)) == set()
    assert not any(one.requires_grad for one in encoder.network.embeddings.parameters())
    embeddings = copy_of(encoder.network.embeddings)
    assert changed(embeddings, copy_of(model.embeddings)) == embeddings.keys()
    assert len(model.branch.layers) == 4
    for own, pretrained in zip(model.branch.layers, encoder.network.layers, strict=True):
        still = own.state_dict().keys() - changed(copy_of(pretrained), copy_of(own))
        # A key's bias adds the same to all scores of a query, so softmax gives it no gradient but rounding noise.
        assert still <= {"attention.key.bias"}


def test_untrained_model_computes_what_trunk_and_head_do(encoder: Encoder, prepared: list[PreparedTask]) -> None:
    task = next(one for one in prepared if one.kind is Kind.TAGGING)
    model = FullModel(encoder, task.outputs, per_token=True).eval()
    inputs = make_inputs(task.tokens["dev"], range(len(task.tokens["dev"])))
    seen = inputs.attention_mask.bool()
    assert not seen.all()
    with torch.no_grad():
        hidden = Trunk(encoder, [4])(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]
        torch.testing.assert_close(model(inputs)[seen], model.branch.classifier(hidden)[seen], rtol=0, atol=1e-5)


def test_seed_decides_and_each_epochs_score_is_told(prepared: list[PreparedTask], brief: HyperParameters) -> None:
    def train(seed: int) -> dict[int, float]:
        told: dict[int, float] = {}
        torch.rand(seed + 3)  # what was drawn before must not matter
        _, result = fully_fine_tune(task, replace(brief, seed=seed), told.__setitem__)
        assert told == result.epochs
        assert len(told) == brief.epochs
        return told

    task = next(one for one in prepared if one.kind is Kind.PAIR_REGRESSION)
    first, again, other = train(1), train(1), train(2)
    assert first == again
    assert first != other
