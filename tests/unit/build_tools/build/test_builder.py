import pytest
import torch

from build_tools.build import builder
from build_tools.errors import BuildError
from training.checkpoint import Checkpoint
from training.encoder import Encoder
from training.encoders.network import Network
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.model import Branch


@pytest.fixture
def checkpoint(encoder, make_record):
    """An untrained checkpoint that fits the encoder; what is given replaces the record's fields."""

    def checkpoint(**given):
        fields = {"trunk_fingerprint": trunk_fingerprints(encoder, 2)[2], **given}
        branch = Branch(encoder.architecture, 2, 1, 2, per_token=False)
        return Checkpoint(record=make_record(**fields), branch=branch, tokenizer=encoder.tokenizer, golden=[])

    return checkpoint


def test_a_built_repository_is_refused_before_any_checkpoint_is_read(tmp_path):
    (tmp_path / "registry.json").write_text("{}")

    with pytest.raises(BuildError, match=r"already holds a built repository"):
        builder.build([tmp_path / "no_such_checkpoint"], tmp_path)


def test_two_checkpoints_of_one_task_are_refused(checkpoint):
    with pytest.raises(BuildError, match="two checkpoints are of the task intent"):
        builder._common_encoder([checkpoint(), checkpoint(task="mood"), checkpoint()], None)


def _named(record_encoder, name):
    return record_encoder.model_copy(update={"name": name})


def test_checkpoints_of_several_encoders_are_refused_and_both_are_named(checkpoint):
    first = checkpoint()
    second = checkpoint(task="mood", encoder=_named(first.record.encoder, "other"))

    with pytest.raises(BuildError, match=r"\(other, tiny\).*--encoder"):
        builder._common_encoder([first, second], None)


def test_one_encoder_under_two_names_is_taken_where_the_user_says_which(checkpoint, encoder, monkeypatch):
    loaded = []
    monkeypatch.setattr(builder, "load_encoder", lambda name: loaded.append(name) or encoder)
    first = checkpoint()
    second = checkpoint(task="mood", encoder=_named(first.record.encoder, "other"))

    assert builder._common_encoder([first, second], "here") is encoder
    assert loaded == ["here"]


def test_a_trunk_that_does_not_fit_is_refused_with_both_fingerprints(checkpoint, encoder):
    torch.manual_seed(99)
    other = Encoder("tiny", Network(encoder.architecture, encoder.layers, has_pooler=True).eval(), encoder.tokenizer)
    assert builder._fitting_trunk([checkpoint()], encoder) == trunk_fingerprints(encoder, 2)

    with pytest.raises(TrainingError) as caught:
        builder._fitting_trunk([checkpoint()], other)

    for fingerprint in (trunk_fingerprints(encoder, 2)[2], trunk_fingerprints(other, 2)[2]):
        assert fingerprint in str(caught.value)
