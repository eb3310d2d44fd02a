from pathlib import Path

import pytest
import torch
from transformers import BertModel

from training.batches import make_batch
from training.checkpoint import Checkpoint
from training.data.example import Example
from training.encoder import Encoder, load_encoder
from training.kinds import Kind
from training.model import Branch, Trunk, bottom_of, new_branch, student_of
from training.tokenization import tokenize

EXAMPLES = [
    Example("good", "x"),
    Example("it was really a great film today, in paris", "x"),
    Example("play some jazz", "x", "play rock"),
]
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def inputs(encoder: Encoder) -> Inputs:
    """A batch of short and long texts, with one pair: ids, mask, types."""
    batch = make_batch(tokenize(encoder.tokenizer, EXAMPLES, 24), [0] * len(EXAMPLES), Kind.CLASSIFICATION)
    assert batch.attention_mask.min() == 0
    return batch.input_ids, batch.attention_mask, batch.token_type_ids


@pytest.fixture(scope="module")
def reference(encoder_folder: Path) -> BertModel:
    """The BERT of transformers with its plain attention, loaded separately."""
    return BertModel.from_pretrained(encoder_folder, attn_implementation="eager").eval()


@torch.no_grad()
def test_trunk_gives_berts_own_hidden_states_after_each_tap(
    encoder: Encoder, reference: BertModel, inputs: Inputs
) -> None:
    ids, mask, types = inputs
    expected = reference(ids, mask, types, output_hidden_states=True).hidden_states
    seen = mask.bool()
    outputs = Trunk(encoder, [3, 1, 2, 3, 4])(ids, mask, types)
    assert len(outputs) == 4
    for tap, hidden in enumerate(outputs, start=1):
        torch.testing.assert_close(hidden[seen], expected[tap][seen], rtol=0, atol=1e-5)
        assert (hidden - expected[tap - 1]).abs()[seen].max() > 0.1  # so another layer's output would be detected


@torch.no_grad()
@pytest.mark.parametrize("tap", [1, 2, 3])
def test_trunk_and_branch_of_pretrained_weights_are_the_whole_bert(
    encoder: Encoder, reference: BertModel, inputs: Inputs, tap: int
) -> None:
    ids, mask, types = inputs
    expected = reference(ids, mask, types)
    hidden = Trunk(encoder, [tap])(ids, mask, types)[-1]
    pooled = new_branch(encoder, tap, 3, per_token=False).eval()
    torch.testing.assert_close(pooled(hidden, mask), pooled.classifier(expected.pooler_output), rtol=0, atol=1e-5)
    per_token = new_branch(encoder, tap, 5, per_token=True).eval()
    assert per_token.pooler is None
    torch.testing.assert_close(
        per_token(hidden, mask)[mask.bool()],
        per_token.classifier(expected.last_hidden_state)[mask.bool()],
        rtol=0,
        atol=1e-5,
    )


@torch.no_grad()
@pytest.mark.parametrize("per_token", [False, True])
def test_padding_does_not_change_logits(encoder: Encoder, per_token: bool) -> None:
    trunk, branch = Trunk(encoder, [2]), new_branch(encoder, 2, 3, per_token).eval()
    tokens = tokenize(encoder.tokenizer, EXAMPLES, 24)
    together = make_batch(tokens, [0] * len(tokens), Kind.CLASSIFICATION)
    logits = branch(
        trunk(together.input_ids, together.attention_mask, together.token_type_ids)[0], together.attention_mask
    )
    for row, one in enumerate(tokens):
        alone = make_batch([one], [0], Kind.CLASSIFICATION)
        expected = branch(trunk(alone.input_ids, alone.attention_mask, alone.token_type_ids)[0], alone.attention_mask)[
            0
        ]
        got = logits[row, : len(one.ids)] if per_token else logits[row]
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_trunk_is_frozen_and_holds_no_layer_above_its_deepest_tap(encoder: Encoder, inputs: Inputs) -> None:
    trunk = Trunk(encoder, [1, 2])
    assert len(trunk.layers) == 2
    assert not trunk.training
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert not trunk(*inputs)[-1].requires_grad


def test_branch_has_its_own_weights_and_all_of_them_learn(encoder: Encoder, inputs: Inputs) -> None:
    Trunk(encoder, [4])  # freezing a trunk must not freeze the layers of branches
    branch = new_branch(encoder, 2, 3, per_token=False)
    with torch.no_grad():
        hidden = Trunk(encoder, [2])(*inputs)[-1]
    branch(hidden, inputs[1]).sum().backward()
    assert [name for name, p in branch.named_parameters() if p.grad is None] == []
    own = {p.data_ptr() for p in branch.parameters()}
    assert not own & {p.data_ptr() for p in encoder.network.parameters()}


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.TAGGING, Kind.PAIR_REGRESSION])
@pytest.mark.parametrize("layers", [1, 2])
def test_student_is_the_teachers_lowest_layers_and_head(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], kind: Kind, layers: int
) -> None:
    teacher = teachers[kind].branch
    student = student_of(teacher, encoder, layers)
    expected = {
        name: tensor
        for name, tensor in teacher.state_dict().items()
        if not name.startswith("layers.") or int(name.split(".")[1]) < layers
    }
    got = student.state_dict()
    assert got.keys() == expected.keys()
    assert len(student.layers) == layers
    for name, tensor in got.items():
        assert torch.equal(tensor, expected[name]), name
        assert tensor.data_ptr() != expected[name].data_ptr(), name
    pretrained = new_branch(encoder, 1, 2, per_token=False)
    outer = "layers.0.after_attention.outer.weight"
    assert not torch.equal(got[outer], pretrained.state_dict()[outer])


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(("tap", "layers"), [(1, 1), (1, 2), (2, 2)])
def test_student_from_the_bottom_is_the_pretrained_layers_above_its_tap_and_a_new_head(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], kind: Kind, tap: int, layers: int
) -> None:
    teacher = teachers[kind].branch
    student = bottom_of(encoder, tap, layers, teacher)
    assert len(student.layers) == layers
    for number, layer in enumerate(student.layers):
        pretrained = encoder.network.layers[tap + number].state_dict()
        assert layer.state_dict().keys() == pretrained.keys()
        for name, tensor in layer.state_dict().items():
            assert torch.equal(tensor, pretrained[name]), name
            assert tensor.data_ptr() != pretrained[name].data_ptr(), name
    shapes = {name: tensor.shape for name, tensor in student_of(teacher, encoder, layers).state_dict().items()}
    assert {name: tensor.shape for name, tensor in student.state_dict().items()} == shapes
    assert not torch.equal(student.classifier.weight, teacher.classifier.weight)
    if student.pooler is not None:
        assert torch.equal(student.pooler.weight, encoder.network.pooler.weight)


def test_encoder_without_a_pooler_gets_a_new_one(encoder_folder: Path) -> None:
    encoder = load_encoder(str(encoder_folder))
    encoder.network.pooler = None
    branch = new_branch(encoder, 3, 2, per_token=False)
    assert branch.pooler is not None
    assert branch(torch.zeros(1, 4, 32), torch.ones(1, 4, dtype=torch.long)).shape == (1, 2)


def test_dropout_acts_in_training_only(encoder: Encoder) -> None:
    branch: Branch = new_branch(encoder, 3, 2, per_token=False)
    hidden, mask = torch.ones(1, 4, 32), torch.ones(1, 4, dtype=torch.long)
    branch.train()
    assert not torch.equal(branch(hidden, mask), branch(hidden, mask))
    branch.eval()
    assert torch.equal(branch(hidden, mask), branch(hidden, mask))
