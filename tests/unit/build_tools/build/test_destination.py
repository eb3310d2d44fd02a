import json

import pytest

from build_tools.build import destination
from build_tools.errors import BuildError


@pytest.fixture
def staged(tmp_path):
    """A staged repository, with one file per model."""
    staged = tmp_path / "staged"
    for model in (*destination.HAND_WRITTEN_MODELS, "trunk", "branch_intent", "intent"):
        (staged / model / "1").mkdir(parents=True)
        (staged / model / "1" / "model").write_text(f"new {model}")
    (staged / "tokenizer" / "1" / "tokenizer.json").write_text("new")
    for name in ("serving.lock", "registry.json"):
        (staged / name).write_text("new")
    return staged


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder that takes the place of the hand-written models' source folder."""
    home = tmp_path / "home"
    for model in destination.HAND_WRITTEN_MODELS:
        (home / model / "1").mkdir(parents=True)
        (home / model / "1" / "model").write_text(f"hand-written {model}")
    monkeypatch.setattr(destination, "HAND_WRITTEN", home)
    return home


def _files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def _files_without_manifest(repository):
    """Checks that the manifest names the files of the models and no others. Returns all other files."""
    files = _files(repository)
    assert json.loads(files.pop("manifest.json"))["files"].keys() == {name for name in files if "/" in name}
    return files


def test_where_nothing_stands_the_whole_repository_is_moved_in(staged, tmp_path):
    expected = _files(staged)

    destination.move_in(staged, tmp_path / "repository")

    assert _files_without_manifest(tmp_path / "repository") == expected
    assert not staged.exists()


def test_an_existing_folder_keeps_its_files_beside_the_models(staged, tmp_path):
    expected = _files(staged)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "notes.txt").write_text("mine")

    destination.move_in(staged, repository)

    assert _files_without_manifest(repository) == {**expected, "notes.txt": "mine"}


def test_among_the_hand_written_models_only_generated_files_are_added(staged, home):
    before = _files(home)
    generated = {name: text for name, text in _files(staged).items() if name.split("/")[0] not in ("nlu", "nlu_stream")}
    del generated["tokenizer/1/model"]

    destination.move_in(staged, home)

    assert _files_without_manifest(home) == {**generated, **before}


@pytest.mark.parametrize("place", ["elsewhere", "home"])
def test_a_folder_with_anything_else_in_it_is_not_built_into(home, tmp_path, place):
    repository = home if place == "home" else tmp_path / "repository"
    (repository / "intent").mkdir(parents=True)

    with pytest.raises(BuildError, match=r"is not empty \(it holds intent\)"):
        destination.check_destination(repository)


def test_an_absent_an_empty_and_the_hand_written_folder_are_built_into(home, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "absent", tmp_path / "empty", home):
        destination.check_destination(place)


def test_a_file_is_no_place_for_a_repository(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BuildError, match="is a file"):
        destination.check_destination(tmp_path / "file")


def test_the_registry_comes_last_because_it_says_that_the_rest_is_there(staged, tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    repository.mkdir()
    replace = type(repository).replace

    def check(path, target):
        if path.name == "registry.json":
            assert {child.name for child in repository.iterdir()} >= {"trunk", "intent", "branch_intent", "nlu"}
        return replace(path, target)

    monkeypatch.setattr(type(repository), "replace", check)
    destination.move_in(staged, repository)

    assert (repository / "registry.json").read_text() == "new"
