import torch

from training.baselines.joint_model import JointModel
from training.batches import make_inputs
from training.encoder import Encoder
from training.model import Trunk
from training.prepared_task import PreparedTask


def test_training_starts_from_the_pretrained_layers_and_pooler(encoder: Encoder, prepared: list[PreparedTask]) -> None:
    model = JointModel(encoder, prepared).eval()
    inputs = make_inputs(prepared[0].tokens["dev"], [0, 5])
    given = (inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)
    torch.testing.assert_close(model.shared(inputs), Trunk(encoder, [encoder.layers])(*given)[-1])
    assert encoder.network.pooler is not None
    for task, of_task in zip(prepared, model.task_models, strict=True):
        assert (of_task.branch.pooler is None) == (task.kind == "tagging")
        if of_task.branch.pooler is not None:
            torch.testing.assert_close(of_task.branch.pooler.weight, encoder.network.pooler.weight)


def test_every_task_has_its_own_head_and_all_share_one_encoder(encoder: Encoder, prepared: list[PreparedTask]) -> None:
    model = JointModel(encoder, prepared)
    assert [len(one.branch.layers) for one in model.task_models] == [0] * len(prepared)
    own = [set(head.parameters()) for head in model.heads]
    shared = set(model.shared.parameters())
    assert all(set(one.parameters()) == shared | head for one, head in zip(model.task_models, own, strict=True))
    assert len(set(model.parameters())) == len(shared) + sum(map(len, own))
    assert len(model.state_dict()) == len(
        list(model.parameters())
    )  # what is kept of the best epoch holds nothing twice


def test_the_embeddings_and_all_layers_are_trained(encoder: Encoder, prepared: list[PreparedTask]) -> None:
    model = JointModel(encoder, prepared)
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    network = model.encoder.network
    wanted = [*network.embeddings.parameters(), *network.layers.parameters()]
    assert {id(parameter) for parameter in wanted} <= trained
    assert not {id(parameter) for parameter in encoder.network.parameters()} & trained
