"""What a replica takes over of the shared folder, and what it does not take for whole."""

import hashlib
import json
import shutil

import pytest
from laid_out_repository import FakeTriton, lay_out_files

from build_tools.repository.manifest import hashes_of, read_manifest, served_files, write_manifest
from build_tools.repository.registry import read_registry
from build_tools.repository.triton_config import read_config
from build_tools.serving.replica.errors import NotHereError
from build_tools.serving.replica.generation import Generation
from build_tools.serving.replica.view import View


def _state(folder):
    return {path.relative_to(folder).as_posix(): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def view(shared, tmp_path):
    return View(tmp_path / "own" / "view", shared) if (tmp_path / "own").mkdir() is None else None


@pytest.fixture
def built(view, shared):
    view.build(Generation.of((shared / "registry.json").read_bytes(), shared))
    return view


def test_a_view_is_a_whole_repository_and_nothing_is_written_to_the_shared_folder(view, shared, registry):
    before = _state(shared)
    view.build(Generation.of((shared / "registry.json").read_bytes(), shared))

    assert _state(shared) == before
    assert read_registry(view.folder) == registry
    assert (view.folder / "registry.json").read_bytes() == (shared / "registry.json").read_bytes()
    assert FakeTriton(view.folder).ready_versions() == {
        "branch_intent": [2, 3],
        "branch_mood": [1],
        "intent": [1],
        "mood": [1],
        "nlu": [1],
        "nlu_stream": [1],
        "tokenizer": [1],
        "trunk": [1],
    }
    for model in ("trunk", "branch_intent", "branch_mood", "intent"):
        assert read_config(view.folder / model) == read_config(shared / model)


def test_graphs_are_links_and_code_is_copied(built, shared):
    assert (built.folder / "branch_intent" / "3").readlink() == shared / "branch_intent" / "3"
    assert (built.folder / "trunk" / "1").readlink() == shared / "trunk" / "1"
    assert not (built.folder / "nlu" / "1" / "model.py").is_symlink()
    assert (built.folder / "control.key").read_text() == (shared / "control.key").read_text()


def test_the_manifest_of_a_view_says_what_its_files_are(built):
    hashes = read_manifest(built.folder)
    assert hashes.keys() >= {path.relative_to(built.folder).as_posix() for path in served_files(built.folder)}
    for name, digest in hashes.items():
        assert hashlib.sha256((built.folder / name).read_bytes()).hexdigest() == digest, name


def test_what_a_publish_adds_is_taken_over_and_the_rest_stays(built, shared, registry, following):
    after = following(registry)
    lay_out_files(shared, after)
    before = _state(built.folder)

    built.fetch(after)

    new = _state(built.folder).keys() - before.keys()
    assert new == {"branch_intent/4"}


@pytest.mark.parametrize("late", ["folder", "manifest", "file", "content"])
def test_what_the_shared_folder_shows_late_is_waited_for_by_name(built, shared, registry, following, late, tmp_path):
    after = following(registry)
    (earlier := tmp_path / "earlier.json").write_bytes((shared / "manifest.json").read_bytes())
    lay_out_files(shared, after)
    version = shared / "branch_intent" / "4"
    if late == "folder":
        version.rename(tmp_path / "hidden")
    elif late == "manifest":
        whole = (shared / "manifest.json").read_bytes()
        shutil.copy(earlier, shared / "manifest.json")
    elif late == "file":
        (version / "model.onnx").rename(tmp_path / "hidden")
    else:
        (version / "model.onnx").write_text("half of it")

    with pytest.raises(NotHereError, match="branch_intent/4"):
        built.fetch(after)
    assert not (built.folder / "branch_intent" / "4").exists()

    if late == "folder":
        (tmp_path / "hidden").rename(version)
    elif late == "manifest":
        (shared / "manifest.json").write_bytes(whole)
    elif late == "file":
        (tmp_path / "hidden").rename(version / "model.onnx")
    else:
        (version / "model.onnx").write_text("branch_intent version 4")
    built.fetch(after)
    assert (built.folder / "branch_intent" / "4").is_dir()


def test_a_file_that_nobody_published_keeps_a_version_out(built, shared, registry, following):
    after = following(registry)
    lay_out_files(shared, after)
    (shared / "branch_intent" / "4" / "model.py").write_text("import os")

    with pytest.raises(NotHereError, match=r"model\.py was neither built nor published"):
        built.fetch(after)


def test_a_number_that_is_used_again_is_not_taken_for_the_version_that_had_it(built, shared, registry, following):
    after = following(registry)
    lay_out_files(shared, after)
    built.fetch(after)
    (shared / "branch_intent" / "4" / "model.onnx").write_text("another one")
    write_manifest(shared)

    with pytest.raises(NotHereError, match="another one than that which is still loaded"):
        built.fetch(after)

    built.keep_only([registry], registry.tasks)
    built.fetch(after)
    assert (
        read_manifest(built.folder)["branch_intent/4/model.onnx"]
        == hashes_of([shared / "branch_intent" / "4" / "model.onnx"], shared)["branch_intent/4/model.onnx"]
    )


def test_what_no_registry_needs_goes_and_the_shared_folder_keeps_it(built, shared, registry, following):
    after = following(registry)
    lay_out_files(shared, after)
    built.fetch(after)

    built.keep_only([after.model_copy(update={"tasks": {"intent": after.tasks["intent"]}})], ["intent"])

    assert sorted(path.name for path in (built.folder / "branch_intent").iterdir()) == ["3", "4", "config.pbtxt"]
    assert not (built.folder / "branch_mood").exists()
    assert not (built.folder / "mood").exists()
    assert (shared / "branch_intent" / "2" / "model.onnx").is_file()
    assert (shared / "branch_mood" / "1" / "model.onnx").is_file()
    assert not [name for name in read_manifest(built.folder) if name.startswith("branch_mood/")]


def test_links_to_versions_that_the_shared_folder_has_lost_are_removed(built, shared):
    shutil.rmtree(shared / "branch_intent" / "2")

    built.remove_dangling()

    assert sorted(path.name for path in (built.folder / "branch_intent").iterdir()) == ["3", "config.pbtxt"]


def test_a_view_tells_routers_whose_replica_they_are(built, shared):
    assert (built.folder / "replica_of").read_text() == f"{shared}\n"


def test_an_unreadable_manifest_is_waited_for(view, shared):
    (shared / "manifest.json").write_text("{")

    with pytest.raises(NotHereError, match=r"manifest\.json cannot be read yet"):
        view.build(Generation.of(json.dumps(json.loads((shared / "registry.json").read_text())).encode(), shared))
