import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from build_tools.errors import BuildError, NotNowError
from build_tools.repository import locking
from build_tools.repository.locking import LOCK, repository_lock

# As a router takes it, to withdraw a canary.
HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """Another process holds the lock until the file is closed."""
    with (tmp_path / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _is_free(repository):
    with (repository / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_while_it_is_held_a_router_cannot_take_it(tmp_path):
    reports = []

    with repository_lock(tmp_path, reports.append):
        assert not _is_free(tmp_path)

    assert _is_free(tmp_path)
    assert reports == []


def test_it_is_given_back_when_a_change_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), repository_lock(tmp_path, print):
        raise ZeroDivisionError

    assert _is_free(tmp_path)


def test_a_command_says_that_it_waits_and_goes_on_when_the_other_is_done(tmp_path, held):
    reports = []

    def report(line):
        reports.append(line)
        threading.Timer(0.1, held.close).start()

    with repository_lock(tmp_path, report):
        assert held.closed

    assert reports == [f"waiting: another command changes {tmp_path}"]


@pytest.mark.usefixtures("held")
def test_a_lock_that_is_never_given_back_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "_PATIENCE_SECONDS", 0.1)
    lock = repository_lock(tmp_path, lambda _: None)

    with pytest.raises(BuildError, match=r"has been locked by another command for .* minutes: stop that command"):
        lock.__enter__()


def test_a_process_that_is_killed_leaves_no_lock_behind(tmp_path):
    with subprocess.Popen([sys.executable, "-S", "-c", HOLD, tmp_path / LOCK], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert not _is_free(tmp_path)
        other.send_signal(signal.SIGKILL)
    reports = []

    with repository_lock(tmp_path, reports.append):
        assert not _is_free(tmp_path)

    assert reports == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_who_may_not_write_there_is_told_so_and_what_to_do(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), str(tmp_path / LOCK))

    monkeypatch.setattr(locking.FileLock, "acquire", refuse)
    with pytest.raises(NotNowError, match=r"cannot be changed from here \(.*\): run this as a user who may write"):
        repository_lock(tmp_path, print).__enter__()


def test_another_failure_of_the_lock_stays_what_it_is(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(locking.FileLock, "acquire", full)
    with pytest.raises(OSError, match="no space left"):
        repository_lock(tmp_path, print).__enter__()
