import pytest

from build_tools.publishing import verify as module
from build_tools.publishing.verify import verify
from build_tools.repository.manifest import MANIFEST, served_files


@pytest.fixture(autouse=True)
def _no_waiting_for_a_change_under_way(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda _: None)


def test_a_repository_as_it_was_built_is_well_whatever_stands_beside_its_models(repository):
    for name in ("audit.jsonl", "repository.lock", "serving.lock", "shadow_intent.jsonl"):
        (repository / name).write_text("anything")
    (repository / "nlu" / "1" / "__pycache__").mkdir()
    (repository / "nlu" / "1" / "__pycache__" / "model.cpython-311.pyc").touch()

    assert verify(repository) == []


@pytest.mark.parametrize(
    "file", ["branch_intent/3/model.onnx", "trunk/config.pbtxt", "nlu/1/model.py", "trunk/configs/espalier.pbtxt"]
)
def test_a_file_that_was_changed_is_named(repository, file):
    damaged = bytearray((repository / file).read_bytes())
    damaged[-1] ^= 1
    (repository / file).write_bytes(damaged)

    assert verify(repository) == [f"{file} is damaged: its SHA-256 is not the one in manifest.json."]


def test_a_file_that_is_gone_is_named(repository):
    (repository / "tokenizer" / "1" / "model.py").unlink()

    assert verify(repository) == ["tokenizer/1/model.py is missing."]


def test_a_file_that_nobody_published_is_named(repository):
    (repository / "nlu" / "1" / "backdoor.py").touch()

    (problem,) = verify(repository)
    assert problem == "nlu/1/backdoor.py is not in manifest.json: it was neither built nor published."


def test_a_version_that_the_registry_names_and_is_not_there_is_named_with_its_file(repository):
    (repository / "branch_intent" / "2" / "model.onnx").unlink()
    (repository / "branch_intent" / "2").rmdir()

    assert verify(repository) == [
        "branch_intent/2/model.onnx is missing.",
        f"registry.json names version 2 of intent, but {repository / 'branch_intent' / '2'} is missing.",
    ]


def test_all_that_is_wrong_is_told_at_once(repository):
    (repository / "nlu" / "1" / "model.py").write_text("changed")
    (repository / "nlu_stream" / "1" / "model.py").unlink()
    (repository / "intent" / "1" / "new").touch()

    assert [problem.split(" ")[0] for problem in verify(repository)] == [
        "nlu_stream/1/model.py",
        "intent/1/new",
        "nlu/1/model.py",
    ]


def test_a_repository_without_a_manifest_is_not_taken_for_well(repository):
    (repository / MANIFEST).unlink()

    assert verify(repository) == [f"{repository} has no manifest.json: build it again."]


def test_what_a_change_under_way_leaves_for_a_moment_is_no_problem(repository, monkeypatch):
    moved, place = repository.parent / "3", repository / "branch_intent" / "3"
    place.rename(moved)  # its hashes are in the manifest before it is moved in
    monkeypatch.setattr(module.time, "sleep", lambda _: moved.rename(place))

    assert verify(repository) == []


def test_a_file_that_is_removed_while_it_is_read_is_no_failure(repository, monkeypatch):
    listed = [*served_files(repository), repository / "gone"]
    monkeypatch.setattr(module, "served_files", lambda _: listed)

    assert verify(repository) == []
