import fcntl

import pytest

from build_tools.serving_lock import SERVING_LOCK, ServedError, not_served


@pytest.fixture
def router(tmp_path):
    """What a router holds for as long as it lives: it opens the file to read, for it may not be allowed more."""
    (tmp_path / SERVING_LOCK).touch()
    with (tmp_path / SERVING_LOCK).open() as file:
        yield file


def test_a_repository_that_routers_have_open_is_not_changed_as_one_that_stands_still(tmp_path, router):
    with (tmp_path / SERVING_LOCK).open() as second:
        for one in (router, second):
            fcntl.flock(one, fcntl.LOCK_SH)
        with pytest.raises(ServedError, match=f"a server has {tmp_path} open: give host:port .* as --url, or stop it"):
            not_served(tmp_path).__enter__()
        fcntl.flock(router, fcntl.LOCK_UN)
        with pytest.raises(ServedError):
            not_served(tmp_path).__enter__()

    with not_served(tmp_path):
        pass


def test_a_server_that_starts_meanwhile_has_to_wait(tmp_path, router):
    with not_served(tmp_path), pytest.raises(BlockingIOError):
        fcntl.flock(router, fcntl.LOCK_SH | fcntl.LOCK_NB)

    fcntl.flock(router, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_it_need_not_wait_any_more_when_the_change_fails(tmp_path, router):
    with pytest.raises(ZeroDivisionError), not_served(tmp_path):
        raise ZeroDivisionError

    fcntl.flock(router, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_repository_without_the_file_gets_it(tmp_path):
    with not_served(tmp_path):
        assert (tmp_path / SERVING_LOCK).is_file()
