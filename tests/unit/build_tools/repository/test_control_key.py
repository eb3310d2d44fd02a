import stat

import pytest

from build_tools.errors import BuildError
from build_tools.repository.control_key import CONTROL_KEY, ensure_control_key, read_control_key


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    tmp_path.chmod(0o755)

    key = ensure_control_key(tmp_path)

    assert ensure_control_key(tmp_path) == read_control_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / CONTROL_KEY).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [CONTROL_KEY]


def test_the_group_that_may_write_the_folder_may_read_the_key(tmp_path):
    tmp_path.chmod(0o775)

    ensure_control_key(tmp_path)

    assert stat.S_IMODE((tmp_path / CONTROL_KEY).stat().st_mode) == 0o640
    assert (tmp_path / CONTROL_KEY).stat().st_gid == tmp_path.stat().st_gid


def test_two_repositories_have_two_keys(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    assert ensure_control_key(tmp_path / "a") != ensure_control_key(tmp_path / "b")


def test_a_read_only_repository_gets_none(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    assert ensure_control_key(tmp_path) is None
    assert read_control_key(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe", b"a" * 40 + b" " + b"b" * 40])
def test_a_damaged_key_is_told_with_the_way_out(tmp_path, content):
    (tmp_path / CONTROL_KEY).write_bytes(content)

    with pytest.raises(BuildError, match="delete it, and start the server again"):
        ensure_control_key(tmp_path)
