import errno
import fcntl
import threading
from pathlib import Path

import pytest

from build_tools.errors import BuildError
from build_tools.repository.serving_lock import SERVING_LOCK, held_to_serve, is_open, not_served


@pytest.fixture
def router(tmp_path):
    """A router's lock. It opens the file only for reading, because it may not be allowed to write."""
    (tmp_path / SERVING_LOCK).touch()
    with (tmp_path / SERVING_LOCK).open() as file:
        yield file


@pytest.fixture
def said():
    return []


def _share(file):
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_repository_that_routers_have_open_is_not_changed_as_one_that_stands_still(tmp_path, router, said):
    with (tmp_path / SERVING_LOCK).open() as second:
        for one in (router, second):
            _share(one)
        with pytest.raises(BuildError, match=f"a server has {tmp_path} open: give host:port .* as --url, or stop it"):
            not_served(tmp_path, said.append).__enter__()
        fcntl.flock(router, fcntl.LOCK_UN)
        with pytest.raises(BuildError, match="a server has"):
            not_served(tmp_path, said.append).__enter__()

    with not_served(tmp_path, said.append):
        pass
    assert said == []


def test_no_router_opens_a_repository_meanwhile(tmp_path, router, said):
    with not_served(tmp_path, said.append), pytest.raises(BlockingIOError):
        _share(router)

    _share(router)


def test_a_router_can_open_it_when_the_change_has_failed(tmp_path, router, said):
    with pytest.raises(ZeroDivisionError), not_served(tmp_path, said.append):
        raise ZeroDivisionError

    _share(router)


def test_a_repository_without_the_file_gets_it(tmp_path, said):
    with not_served(tmp_path, said.append):
        assert (tmp_path / SERVING_LOCK).is_file()


@pytest.mark.parametrize("second", [not_served, lambda *given: held_to_serve(given[0], lambda: None, given[1])])
def test_a_command_and_a_server_wait_for_the_command_before_them_and_say_so_once(tmp_path, said, second):
    first_has_ended = threading.Event()

    def wait(sentence):
        said.append(sentence)
        threading.Timer(0.25, first_has_ended.set).start()

    first = not_served(tmp_path, said.append)
    first.__enter__()
    release = threading.Thread(target=lambda: (first_has_ended.wait(), first.__exit__(None, None, None)))
    release.start()
    with second(tmp_path, wait):
        assert first_has_ended.is_set()
    release.join()
    assert said == [f"waiting: another command changes {tmp_path}"]


def test_a_server_shares_the_repository_with_its_routers_and_with_no_command(tmp_path, router, said):
    with held_to_serve(tmp_path, lambda: said.append("mended"), said.append):
        assert said == ["mended"]
        _share(router)
        with pytest.raises(BuildError, match="a server has"):
            not_served(tmp_path, said.append).__enter__()


def test_what_a_server_prepares_is_prepared_while_no_router_has_the_repository_open(tmp_path, router, said):
    def prepare():
        with pytest.raises(BlockingIOError):
            _share(router)
        said.append("prepared")

    with held_to_serve(tmp_path, prepare, said.append):
        pass
    assert said == ["prepared"]


def test_a_second_server_is_refused_and_prepares_nothing(tmp_path, said):
    with (
        held_to_serve(tmp_path, lambda: None, said.append),
        pytest.raises(BuildError, match=f"a server has {tmp_path} open already: stop it first"),
    ):
        held_to_serve(tmp_path, lambda: said.append("prepared"), said.append).__enter__()
    assert said == []


def test_whether_a_server_has_it_open(tmp_path, router):
    assert not is_open(tmp_path)
    _share(router)
    assert is_open(tmp_path)
    assert is_open(tmp_path / "without_the_file"), "who cannot know must not refuse"


@pytest.mark.parametrize("lock", [not_served, lambda folder, said: held_to_serve(folder, list, said)])
def test_who_may_not_write_there_is_told_what_to_do(tmp_path, said, monkeypatch, lock):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BuildError, match=r"cannot be changed from here \(Permission denied\): run this as a user who"):
        lock(tmp_path, said.append).__enter__()
