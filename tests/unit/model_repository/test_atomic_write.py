import os
from pathlib import Path

import pytest
from router.atomic_write import replace_file

from training.atomic_write import remove_staged_files


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "registry.json"
    file.write_text("old")
    return file


def test_a_reader_who_has_it_open_goes_on_with_the_old_one_and_the_next_has_the_new_one(file):
    with file.open() as opened:
        replace_file(file, "größe")
        assert opened.read() == "old"

    assert file.read_text(encoding="utf-8") == "größe"


def test_the_text_is_on_disk_before_it_is_in_place_and_the_folder_after(file, monkeypatch):
    fsync, replace, steps = os.fsync, Path.replace, []

    def noted_fsync(number):
        opened = Path(f"/proc/self/fd/{number}").readlink()
        steps.append("folder" if opened == file.parent else opened.read_text())
        fsync(number)

    def noted_replace(staged, target):
        steps.append(target)
        return replace(staged, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)

    replace_file(file, "new")

    assert steps == ["new", file, "folder"]


def test_what_fails_leaves_the_old_one_and_nothing_else(file, monkeypatch):
    def fail(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        replace_file(file, "new")

    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_the_build_tools_remove_what_a_killed_router_leaves(file, monkeypatch):
    for ending in ("replace", "unlink"):
        monkeypatch.setattr(Path, ending, lambda *_, **__: None)
    replace_file(file, "new")
    monkeypatch.undo()
    assert len(list(file.parent.iterdir())) == 2

    remove_staged_files(file.parent)

    assert list(file.parent.iterdir()) == [file]


def test_a_umask_takes_the_file_from_nobody_who_could_read_it(file):
    file.chmod(0o664)
    before = os.umask(0o077)
    try:
        replace_file(file, "new")
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == 0o664
