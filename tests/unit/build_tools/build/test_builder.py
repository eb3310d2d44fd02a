import json

import pytest
import torch

from build_tools.build import builder
from build_tools.errors import BuildError
from training.checkpoint import Checkpoint
from training.encoder import Encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.model import Branch


@pytest.fixture
def checkpoint(encoder, make_record):
    """An untrained checkpoint that fits the encoder; what is given replaces the record's fields."""

    def checkpoint(**given):
        fields = {"trunk_fingerprint": trunk_fingerprints(encoder, 2)[2], **given}
        branch = Branch(encoder.bert.config, 1, 2, per_token=False)
        return Checkpoint(record=make_record(**fields), branch=branch, tokenizer=encoder.tokenizer, golden=[])

    return checkpoint


@pytest.fixture
def staged(tmp_path):
    """What a build stages, one file for each model."""
    staged = tmp_path / "staged"
    for model in (*builder.HAND_WRITTEN_MODELS, "trunk", "branch_intent", "intent"):
        (staged / model / "1").mkdir(parents=True)
        (staged / model / "1" / "model").write_text(f"new {model}")
    (staged / "tokenizer" / "1" / "tokenizer.json").write_text("new")
    for name in ("serving.lock", "registry.json"):
        (staged / name).write_text("new")
    return staged


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder where the hand-written models stand."""
    home = tmp_path / "home"
    for model in builder.HAND_WRITTEN_MODELS:
        (home / model / "1").mkdir(parents=True)
        (home / model / "1" / "model").write_text(f"hand-written {model}")
    monkeypatch.setattr(builder, "HAND_WRITTEN", home)
    return home


def _files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def _files_without_manifest(repository):
    """The files, once the manifest is found to name each model's and no other."""
    files = _files(repository)
    assert json.loads(files.pop("manifest.json"))["files"].keys() == {name for name in files if "/" in name}
    return files


def test_where_nothing_stands_the_whole_repository_is_moved_in(staged, tmp_path):
    expected = _files(staged)

    builder._put_in_place(staged, tmp_path / "repository")

    assert _files_without_manifest(tmp_path / "repository") == expected
    assert not staged.exists()


def test_an_existing_folder_keeps_its_files_beside_the_models(staged, tmp_path):
    expected = _files(staged)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "notes.txt").write_text("mine")

    builder._put_in_place(staged, repository)

    assert _files_without_manifest(repository) == {**expected, "notes.txt": "mine"}


def test_among_the_hand_written_models_only_generated_files_are_added(staged, home):
    before = _files(home)
    generated = {name: text for name, text in _files(staged).items() if name.split("/")[0] not in ("nlu", "nlu_stream")}
    del generated["tokenizer/1/model"]

    builder._put_in_place(staged, home)

    assert _files_without_manifest(home) == {**generated, **before}


@pytest.mark.parametrize("place", ["elsewhere", "home"])
def test_a_folder_with_anything_else_in_it_is_not_built_into(home, tmp_path, place):
    repository = home if place == "home" else tmp_path / "repository"
    (repository / "intent").mkdir(parents=True)

    with pytest.raises(BuildError, match=r"is not empty \(intent stands there\)"):
        builder._check_place(repository)


def test_an_absent_an_empty_and_the_hand_written_folder_are_built_into(home, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "absent", tmp_path / "empty", home):
        builder._check_place(place)


def test_a_file_is_no_place_for_a_repository(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BuildError, match="is a file"):
        builder._check_place(tmp_path / "file")


def test_the_registry_comes_last_because_it_says_that_the_rest_is_there(staged, tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    repository.mkdir()
    replace = type(repository).replace

    def check(path, target):
        if path.name == "registry.json":
            assert {child.name for child in repository.iterdir()} >= {"trunk", "intent", "branch_intent", "nlu"}
        return replace(path, target)

    monkeypatch.setattr(type(repository), "replace", check)
    builder._put_in_place(staged, repository)

    assert (repository / "registry.json").read_text() == "new"


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
    other = Encoder("tiny", type(encoder.bert)(encoder.bert.config).eval(), encoder.tokenizer)
    assert builder._fitting_trunk([checkpoint()], encoder) == trunk_fingerprints(encoder, 2)

    with pytest.raises(TrainingError) as caught:
        builder._fitting_trunk([checkpoint()], other)

    for fingerprint in (trunk_fingerprints(encoder, 2)[2], trunk_fingerprints(other, 2)[2]):
        assert fingerprint in str(caught.value)
