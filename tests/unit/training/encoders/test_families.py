"""Each family's layers are those of transformers, and its limits are ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_families import LAYERS, MODEL_TYPES, POSITIONS, TEXTS, save_family

from training.batches import make_inputs
from training.data import Example
from training.encoder import Encoder, load_encoder
from training.encoders.architecture import Architecture
from training.encoders.families import FAMILIES
from training.fingerprint import trunk_fingerprints
from training.model import Trunk, new_branch, student_of
from training.tokenization import tokenize

EXAMPLES = [*(Example(text, "x") for text in TEXTS), Example("fly to rome", "x", "play rock, naïve 😀")]

Loaded = tuple[Path, Encoder]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """(model type) -> a folder of a tiny model, and the encoder loaded from it. Not to be changed."""
    loaded: dict[str, Loaded] = {}

    def load(model_type: str) -> Loaded:
        if model_type not in loaded:
            folder = save_family(model_type, tmp_path_factory.mktemp(model_type))
            loaded[model_type] = folder, load_encoder(str(folder))
        return loaded[model_type]

    return load


def transformers_states(folder: Path, encoder: Encoder) -> list[list[torch.Tensor]]:
    """For each example the hidden states of transformers after each layer, [T, H], the text alone in its batch."""
    from transformers import AutoModel

    model: Any = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    types = {"token_type_ids"} if encoder.architecture.type_vocab_size else set()
    found = []
    for one in tokenize(encoder.tokenizer, EXAMPLES, POSITIONS):
        given = {"input_ids": torch.tensor([one.ids]), "attention_mask": torch.ones(1, len(one.ids), dtype=torch.long)}
        given |= {name: torch.tensor([one.types]) for name in types}
        with torch.no_grad():
            output = model(**given, output_hidden_states=True)
        found.append([state[0] for state in (*output.hidden_states[1:-1], output.last_hidden_state)])
    return found


def test_the_tiny_models_cover_every_family() -> None:
    assert set(MODEL_TYPES) == FAMILIES.keys()


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_hidden_states_are_those_of_transformers_after_each_layer(
    model_type: str, load: Callable[[str], Loaded]
) -> None:
    folder, encoder = load(model_type)
    expected = transformers_states(folder, encoder)
    inputs = make_inputs(tokenize(encoder.tokenizer, EXAMPLES, POSITIONS), range(len(EXAMPLES)))  # padded
    taps = list(range(1, LAYERS + 1))
    states = list(Trunk(encoder, taps)(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids))
    if encoder.network.norm is not None:  # transformers gives the last layer's states behind it
        states[-1] = encoder.network.norm(states[-1])
    for row, of_layers in enumerate(expected):
        for hidden, of_transformers in zip(states, of_layers, strict=True):
            assert torch.isfinite(hidden).all()
            got = hidden[row, : len(of_transformers)]
            torch.testing.assert_close(got, of_transformers, rtol=0, atol=1e-4)
    assert max(len(of_layers[0]) for of_layers in expected) > 20  # longer than a local window


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("per_token", [False, True])
@torch.no_grad()
def test_trunk_and_branch_are_the_whole_encoder_at_every_tap(
    model_type: str, per_token: bool, load: Callable[[str], Loaded]
) -> None:
    _, encoder = load(model_type)
    inputs = make_inputs(tokenize(encoder.tokenizer, EXAMPLES, POSITIONS), range(len(EXAMPLES)))
    given = (inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)
    head = new_branch(encoder, LAYERS, 3, per_token).eval()
    expected = head(Trunk(encoder, [LAYERS])(*given)[0], inputs.attention_mask)
    for tap in range(1, LAYERS):
        branch = new_branch(encoder, tap, 3, per_token).eval()
        for name in ("pooler", "classifier"):  # new ones differ
            setattr(branch, name, getattr(head, name))
        logits = branch(Trunk(encoder, [tap])(*given)[0], inputs.attention_mask)
        seen = inputs.attention_mask.bool() if per_token else slice(None)
        torch.testing.assert_close(logits[seen], expected[seen], rtol=0, atol=1e-4)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_student_has_its_teachers_lowest_layers_in_the_form_that_they_have_there(
    model_type: str, load: Callable[[str], Loaded]
) -> None:
    _, encoder = load(model_type)
    teacher = new_branch(encoder, 1, 3, per_token=True).eval()
    student = student_of(teacher, encoder, 2).eval()
    assert student.tap == 1
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, teacher.state_dict()[name]), name
    hidden, mask = torch.randn(1, 12, encoder.architecture.hidden_size), torch.zeros(1, 1, 1, 12)
    with torch.no_grad():
        for own, of_teacher in zip(student.layers, teacher.layers, strict=False):
            assert torch.equal(own(hidden, mask), of_teacher(hidden, mask))


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_longest_text_has_as_many_tokens_as_the_family_says(model_type: str, load: Callable[[str], Loaded]) -> None:
    _, encoder = load(model_type)
    assert encoder.config["max_position_embeddings"] == POSITIONS
    ids = torch.full((1, POSITIONS), 5)
    assert torch.isfinite(Trunk(encoder, [1])(ids, torch.ones_like(ids), torch.zeros_like(ids))[0]).all()


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_record_holds_all_that_decides_an_output(model_type: str, load: Callable[[str], Loaded]) -> None:
    _, encoder = load(model_type)
    again = Architecture(**encoder.config)
    only_in_training = {"hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range"}
    assert again.model_dump(exclude=only_in_training) == encoder.architecture.model_dump(exclude=only_in_training)
    assert encoder.config.get("family", "bert") == model_type


def test_families_without_token_types_take_pairs_whatever_their_tokenizer_calls_the_second_text(
    load: Callable[[str], Loaded],
) -> None:
    for model_type in ("distilbert", "modernbert"):
        _, encoder = load(model_type)
        (pair,) = tokenize(encoder.tokenizer, EXAMPLES[-1:], POSITIONS)
        assert max(pair.types) == 1
        inputs = make_inputs([pair], [0])
        trunk = Trunk(encoder, [1])
        states = [
            trunk(inputs.input_ids, inputs.attention_mask, types)[0]
            for types in (inputs.token_type_ids, torch.zeros_like(inputs.input_ids))
        ]
        assert torch.equal(*states)


def test_the_fingerprint_covers_relative_positions_windows_and_rotary_bases(load: Callable[[str], Loaded]) -> None:
    _, mpnet = load("mpnet")
    before = trunk_fingerprints(mpnet, LAYERS)
    bias = mpnet.network.layers[1].attention.position_bias.weight
    with torch.no_grad():
        bias[0, 0] += 1e-3
        after = trunk_fingerprints(mpnet, LAYERS)
        bias[0, 0] -= 1e-3
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, False, False]

    _, modern = load("modernbert")
    architecture = modern.architecture
    before = trunk_fingerprints(modern, LAYERS)
    try:
        for change in (
            {"local_window": 3},
            {"global_every": 2},
            {"local_rotary_base": 9.0},
            {"global_rotary_base": 9.0},
        ):
            modern.network.architecture = architecture.model_copy(update=change)
            assert not set(trunk_fingerprints(modern, LAYERS)) & set(before), change
    finally:
        modern.network.architecture = architecture
