import hashlib
import json

import pytest

from build_tools.errors import BuildError
from build_tools.repository.manifest import (
    MANIFEST,
    add_to_manifest,
    forget_missing,
    hashes_of,
    read_manifest,
    served_files,
    write_manifest,
)


@pytest.fixture
def repository(tmp_path):
    for name in ("trunk/1/model.onnx", "trunk/config.pbtxt", "nlu/1/router/answer_from_logits.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "registry.json").write_text("{}")
    (tmp_path / "nlu" / "1" / "router" / "__pycache__").mkdir()
    (tmp_path / "nlu" / "1" / "router" / "__pycache__" / "answer_from_logits.pyc").touch()
    return tmp_path


def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_file_of_a_model_has_its_sha256_and_no_other_file(repository):
    write_manifest(repository)

    names = ["nlu/1/router/answer_from_logits.py", "trunk/1/model.onnx", "trunk/config.pbtxt"]
    assert read_manifest(repository) == {name: _sha256(name) for name in names}
    assert [file.relative_to(repository).as_posix() for file in served_files(repository)] == names


def test_the_file_is_what_our_backends_read(repository):
    write_manifest(repository)

    content = json.loads((repository / "manifest.json").read_text())
    assert content["files"]["trunk/config.pbtxt"] == _sha256("trunk/config.pbtxt")


def test_writing_it_anew_forgets_what_stood_there(repository):
    write_manifest(repository)
    add_to_manifest(repository, {"gone/1/model.onnx": "0"})

    write_manifest(repository)

    assert "gone/1/model.onnx" not in read_manifest(repository)


def test_a_manifest_of_some_files_is_not_made_where_there_is_none(repository):
    """A manifest of some files would keep all others from being served."""
    with pytest.raises(BuildError, match=r"has no manifest\.json: build it again"):
        add_to_manifest(repository, {"trunk/config.pbtxt": "1"})


def test_files_are_added_or_replaced_and_the_others_stay(repository):
    write_manifest(repository)
    before = read_manifest(repository)

    add_to_manifest(repository, {"trunk/config.pbtxt": "1", "trunk/2/model.onnx": "2"})

    assert read_manifest(repository) == before | {"trunk/config.pbtxt": "1", "trunk/2/model.onnx": "2"}


def test_only_what_is_no_more_is_forgotten_and_otherwise_nothing_is_written(repository):
    write_manifest(repository)
    inode = (repository / MANIFEST).stat().st_ino
    forget_missing(repository)
    assert (repository / MANIFEST).stat().st_ino == inode
    add_to_manifest(repository, {"branch_intent/2/model.onnx": "0"})  # of a publish that was killed
    (repository / "trunk" / "1" / "model.onnx").unlink()

    forget_missing(repository)

    assert list(read_manifest(repository)) == ["nlu/1/router/answer_from_logits.py", "trunk/config.pbtxt"]


def test_a_repository_without_a_manifest_has_no_hashes_and_gets_none_by_forgetting(tmp_path):
    forget_missing(tmp_path)

    assert read_manifest(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_file_and_does_not_write_into_the_one_that_a_backend_is_reading(repository):
    write_manifest(repository)
    with (repository / MANIFEST).open() as opened_before:
        add_to_manifest(repository, {"a/1/model.onnx": "0"})
        assert "a/1/model.onnx" not in json.load(opened_before)["files"]

    assert sorted(path.name for path in repository.iterdir()) == [MANIFEST, "nlu", "registry.json", "trunk"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": 1}', '{"files": null}', ""])
def test_a_manifest_that_is_damaged_is_told_with_what_to_do(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)

    with pytest.raises(BuildError, match=r"manifest\.json is damaged: build the repository again"):
        read_manifest(tmp_path)


def test_hashes_are_by_the_path_below_the_root_that_is_given(repository):
    file = repository / "trunk" / "1" / "model.onnx"

    assert hashes_of([file], repository / "trunk") == {"1/model.onnx": _sha256("trunk/1/model.onnx")}
