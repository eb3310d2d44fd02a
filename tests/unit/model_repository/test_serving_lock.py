import fcntl

import pytest
from router.serving_lock import hold_serving_lock

from build_tools.repository.serving_lock import SERVING_LOCK


def test_routers_share_the_lock_and_keep_commands_from_it_for_as_long_as_they_live(tmp_path):
    (tmp_path / SERVING_LOCK).touch()
    first, second = hold_serving_lock(tmp_path), hold_serving_lock(tmp_path)

    with (tmp_path / SERVING_LOCK).open("a") as command:
        for router in (first, second):
            with pytest.raises(BlockingIOError):
                fcntl.flock(command, fcntl.LOCK_EX | fcntl.LOCK_NB)
            router.close()
        fcntl.flock(command, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_router_does_not_start_on_what_a_command_is_changing(tmp_path):
    with (tmp_path / SERVING_LOCK).open("a") as command:
        fcntl.flock(command, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match=f"a command is changing {tmp_path}, .*: start again when it is done"):
            hold_serving_lock(tmp_path)


def test_a_repository_without_the_file_is_served_all_the_same(tmp_path):
    assert hold_serving_lock(tmp_path) is None
