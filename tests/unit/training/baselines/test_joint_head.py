import copy
from dataclasses import replace

import pytest
import torch

from training.baselines.joint_head import HeadStates, train_head
from training.batches import make_inputs
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters
from training.model import Trunk
from training.prepared_task import PreparedTask


@pytest.fixture
def other_encoder(encoder: Encoder) -> Encoder:
    """An encoder as after joint training: other weights, trainable."""
    network = copy.deepcopy(encoder.network).requires_grad_(requires_grad=True)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return Encoder(encoder.name, network, encoder.tokenizer)


@pytest.fixture
def mute_encoder(encoder: Encoder) -> Encoder:
    """The last layer's outputs are all 0."""
    network = copy.deepcopy(encoder.network)
    norm = network.layers[-1].after_attention.outer_norm
    norm.weight.data.zero_()
    norm.bias.data.zero_()
    return Encoder(encoder.name, network, encoder.tokenizer)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_states_are_the_last_layers_of_cls_or_of_each_token_for_tagging(
    prepared: list[PreparedTask], encoder: Encoder, split: str
) -> None:
    trunk = Trunk(encoder, [4])
    for task in prepared:
        states = HeadStates(task, split)
        inputs = make_inputs(task.tokens[split], [5, 0, 7])
        hidden = trunk(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]
        found = states(inputs)
        assert (found.dtype, states.memory.dtype) == (torch.float32, torch.float16)
        if task.kind == "tagging":
            real = inputs.attention_mask.bool()
            assert not real.all()  # texts of several lengths, or padding is not tried
            torch.testing.assert_close(found[real], hidden[real], atol=2e-3, rtol=1e-3)
        else:
            assert found.shape == (3, 1, 32)
            torch.testing.assert_close(found, hidden[:, :1], atol=2e-3, rtol=1e-3)


def test_a_head_of_every_kind_is_learnt(prepared: list[PreparedTask], encoder: Encoder, brief: HyperParameters) -> None:
    hyper = replace(brief, epochs=20, learning_rate=1e-2)
    scores = {task.name: train_head(task, encoder, hyper).scores[task.metric] for task in prepared}
    assert {task: score for task, score in scores.items() if score < 60} == {}


def test_dev_is_scored_on_its_own_texts(prepared: list[PreparedTask], encoder: Encoder, brief: HyperParameters) -> None:
    task, hyper = prepared[0], replace(brief, epochs=10, learning_rate=1e-2)
    backwards = replace(task.data, dev=task.data.dev[::-1])  # so that train and dev differ row by row
    other = PreparedTask(backwards, task.name, encoder, max_length=24)
    assert train_head(other, encoder, hyper).scores == train_head(task, encoder, hyper).scores


def test_no_weight_of_the_encoder_changes(
    prepared: list[PreparedTask], other_encoder: Encoder, brief: HyperParameters
) -> None:
    before = {name: tensor.clone() for name, tensor in other_encoder.network.state_dict().items()}
    for task in prepared:
        train_head(task, other_encoder, brief)
    after = other_encoder.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_the_head_reads_the_encoder_that_is_given_and_not_the_one_that_the_task_was_prepared_on(
    prepared: list[PreparedTask], mute_encoder: Encoder, brief: HyperParameters
) -> None:
    (task,) = (task for task in prepared if task.name == "classification")
    hyper = replace(brief, epochs=20, learning_rate=1e-2)
    assert train_head(task, mute_encoder, hyper).scores["matthews"] == 0.0
    assert task.stored == {}  # nor is the given task changed
    assert train_head(task, task.encoder, hyper).scores["matthews"] > 50


def test_the_encoder_runs_once_over_each_text_however_many_epochs_there_are(
    prepared: list[PreparedTask], encoder: Encoder, brief: HyperParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[int] = []
    forward = Trunk.forward

    def counting(trunk: Trunk, input_ids: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        texts.append(len(input_ids))
        return forward(trunk, input_ids, *rest)

    monkeypatch.setattr(Trunk, "forward", counting)
    task = prepared[0]
    train_head(task, encoder, replace(brief, epochs=3))
    assert sum(texts) == len(task.examples["train"]) + len(task.examples["dev"])
