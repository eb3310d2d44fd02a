import errno

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.replica import replica as module
from build_tools.serving.replica.replica import opened_replica


def test_a_replica_that_finds_the_shared_memory_full_says_so_and_leaves_no_folder(shared, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(module, "RunMark", full)

    with pytest.raises(ServeError, match=r"cannot be started.*No space left"), opened_replica(shared, 1.0, print):
        pass
    assert list((tmp_path / "temporary").iterdir()) == []
