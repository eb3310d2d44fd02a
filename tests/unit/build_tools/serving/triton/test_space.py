import errno
import shutil
from types import SimpleNamespace

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import space
from build_tools.serving.triton.space import check_space, is_disk_full


@pytest.mark.parametrize(
    ("full", "sentence"),
    [
        ("tmp", r"the disk of .*/tmp, for temporary files, is full: 1 MB are free and 32 MB needed; make room, or set"),
        ("shm", r"the disk of /dev/shm, for shared memory, is full"),
        ("repository", r"the disk of .*/repository, for the model repository, is full"),
    ],
)
def test_a_full_disk_is_named_before_anything_is_written(tmp_path, monkeypatch, full, sentence):
    for folder in ("repository/trunk", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "repository/trunk/config.pbtxt").touch()

    def usage(place):
        return SimpleNamespace(free=2**20 if place.name == full else 2**30)

    monkeypatch.setattr(space.shutil, "disk_usage", usage)

    with pytest.raises(ServeError, match=sentence):
        check_space(tmp_path / "repository", tmp_path / "tmp")


def test_a_disk_with_room_is_not_mentioned(tmp_path, monkeypatch):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))

    check_space(tmp_path, tmp_path)


def test_a_disk_that_fills_up_while_files_are_copied_is_recognised():
    assert is_disk_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_disk_full(shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]))
    assert not is_disk_full(PermissionError(errno.EACCES, "Permission denied"))
