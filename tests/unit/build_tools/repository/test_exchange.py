import errno
from pathlib import Path

import pytest

from build_tools.repository import exchange as module
from build_tools.repository.exchange import exchange


@pytest.fixture(params=[True, False], ids=["at once", "where the file system cannot"])
def _can(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(module, "_exchanged", lambda *_: False)


@pytest.mark.usefixtures("_can")
def test_two_folders_change_places(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    exchange(tmp_path / "new", tmp_path / "old")

    assert (tmp_path / "old" / "file").read_text() == "new"
    assert (tmp_path / "new" / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


@pytest.mark.usefixtures("_can")
def test_a_folder_comes_where_none_was(tmp_path):
    (tmp_path / "new").mkdir()

    exchange(tmp_path / "new", tmp_path / "place")

    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_where_the_second_rename_fails_what_was_there_is_there_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_exchanged", lambda *_: False)
    (tmp_path / "repository" / "nlu").mkdir(parents=True)
    (tmp_path / "staged" / "nlu").mkdir(parents=True)
    (tmp_path / "repository" / "nlu" / "file").touch()
    rename, left = Path.rename, [False, True]

    def rename_once(source, place):
        if source.parent.name == "staged" and left.pop():
            raise OSError(errno.ESTALE, "Stale file handle")
        return rename(source, place)

    monkeypatch.setattr(Path, "rename", rename_once)
    with pytest.raises(OSError, match="Stale"):
        exchange(tmp_path / "staged" / "nlu", tmp_path / "repository" / "nlu")
    assert (tmp_path / "repository" / "nlu" / "file").exists()
