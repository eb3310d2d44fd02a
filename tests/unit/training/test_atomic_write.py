import os
from pathlib import Path

import pytest

from training.atomic_write import remove_staged_files, rename_folder, replace_file


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "config.pbtxt"
    file.write_text("old")
    return file


def test_a_reader_who_has_it_open_goes_on_with_the_old_one_and_the_next_has_the_new_one(file, tmp_path):
    with file.open() as opened:
        replace_file(file, "größe", staged_in=tmp_path)
        assert opened.read() == "old"

    assert file.read_text(encoding="utf-8") == "größe"


def test_it_is_on_disk_before_it_is_in_place_and_never_begun_in_the_folder_of_the_file(file, tmp_path, monkeypatch):
    real, replaced = Path.replace, []
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), fsync(number)))

    def replace(staged, target):
        assert (staged.read_text(), len(synced)) == ("new", 1)
        replaced.append((staged.parent, target))
        return real(staged, target)

    monkeypatch.setattr(Path, "replace", replace)
    replace_file(file, "new", staged_in=tmp_path)

    assert replaced == [(tmp_path, file)]


def test_a_folder_is_on_disk_with_all_that_it_holds_before_it_is_in_place_and_its_place_after(tmp_path, monkeypatch):
    staged, place = tmp_path / "staged", tmp_path / "model" / "3"
    (staged / "deep").mkdir(parents=True)
    place.parent.mkdir()
    for file in (staged / "model.onnx", staged / "deep" / "file"):
        file.write_text("x")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))

    rename_folder(staged, place)

    assert {*synced[:-1]} == {str(staged / name) for name in (".", "model.onnx", "deep", "deep/file")}
    assert synced[-1] == str(place.parent)
    assert (place / "deep" / "file").read_text() == "x"


def test_what_fails_leaves_the_old_one_and_nothing_else(file, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        replace_file(file, "new", staged_in=tmp_path)

    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_bytes_are_written_as_they_are(file, tmp_path):
    replace_file(file, b"\r\n\xff", staged_in=tmp_path)

    assert file.read_bytes() == b"\r\n\xff"


def test_a_file_that_was_not_there_is_made(tmp_path):
    replace_file(tmp_path / "new", "text", staged_in=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_what_a_killed_process_has_left_is_removed_and_nothing_else(file, tmp_path, monkeypatch):
    (tmp_path / f".folder.{'0' * 32}").mkdir()
    for name in (".hidden", ".registry.json.1234", f"registry.json.{'0' * 32}", "registry.json"):
        (tmp_path / name).touch()
    before = {path.name for path in tmp_path.iterdir()}
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", lambda *_: None)
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        replace_file(file, "new", staged_in=tmp_path)
    assert len({path.name for path in tmp_path.iterdir()} - before) == 1

    remove_staged_files(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_umask_takes_a_replaced_file_from_nobody_who_could_read_it(file, tmp_path):
    file.chmod(0o644)
    before = os.umask(0o077)
    try:
        replace_file(file, "new", staged_in=tmp_path)
        replace_file(tmp_path / "own", "new", staged_in=tmp_path)
        replace_file(tmp_path / "secret", "new", staged_in=tmp_path, mode=0o640)
    finally:
        os.umask(before)

    modes = [path.stat().st_mode & 0o777 for path in (file, tmp_path / "own", tmp_path / "secret")]
    assert modes == [0o644, 0o600, 0o640]
