import hashlib
import json

import pytest

from build_tools.backends.espalier_backend.damage import damage
from build_tools.repository.manifest import write_manifest


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "branch_intent" / "2" / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a graph")
    return file


def test_a_file_as_it_was_published_is_served(file, tmp_path):
    write_manifest(tmp_path)

    assert damage(file, tmp_path) is None


@pytest.mark.parametrize("content", [b"a grapi", b"a grap", b"a graph\n", b""])
def test_a_file_of_which_a_bit_or_the_end_is_not_as_it_was_is_not_served(file, tmp_path, content):
    write_manifest(tmp_path)
    file.write_bytes(content)

    assert damage(file, tmp_path) == f"{file} is damaged: its SHA-256 is not the one in manifest.json"


def test_a_file_that_nobody_published_is_not_served(file, tmp_path):
    same_file_elsewhere = {"branch_intent/1/model.onnx": hashlib.sha256(b"a graph").hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": same_file_elsewhere}))

    assert damage(file, tmp_path) == f"{file} was neither built nor published: it is not in manifest.json"


def test_a_repository_that_has_no_manifest_is_served(file, tmp_path):
    assert damage(file, tmp_path) is None
