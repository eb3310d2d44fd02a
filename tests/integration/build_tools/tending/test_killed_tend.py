"""tend is killed at each change of a file that it makes: the next one publishes each artefact exactly once."""

import os
import signal

import pytest

from build_tools.fleet.asking import Replica
from build_tools.fleet.requirement import EVERY
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.verify import verify
from build_tools.repository.registry import read_registry, write_registry
from build_tools.repository.replica_state import ReplicaState
from build_tools.tending.case import Options
from build_tools.tending.hand_in import hand_in
from build_tools.tending.inbox import Inbox
from build_tools.tending.tend import Tending
from clients.address import parse_address

STEP = 5  # of the changes at which it is killed: the others were tried, and take minutes
CHANGES = ("rename", "replace", "unlink", "mkdir")


class ProvingFleet(NoServer):
    """Servers that take everything at once."""

    proves = True

    def __init__(self):
        self.replicas = self

    def look(self):
        return [Replica(parse_address("http://a"), ReplicaState(server="a-1", ready=True, generation=1))]


@pytest.fixture
def round_of_a_new_tend(repository, tmp_path):
    def round_of_a_new_tend():
        fleet = ProvingFleet()
        Tending(repository, fleet, EVERY, Inbox(tmp_path / "inbox"), None, print).round()

    return round_of_a_new_tend


@pytest.fixture
def killed_at(round_of_a_new_tend):
    """(n) -> whether a process that does one round was killed before its n-th change of a file."""

    def killed_at(n):
        child = os.fork()
        if child == 0:
            left = [n]

            def counted(real):
                def call(*given, **named):
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*given, **named)

                return call

            for name in CHANGES:
                setattr(os, name, counted(getattr(os, name)))
            try:
                round_of_a_new_tend()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)

    return killed_at


@pytest.mark.parametrize("share", [None, 0.5])
def test_each_artefact_is_published_once_wherever_tend_is_killed(
    repository, tmp_path, packaged, round_of_a_new_tend, killed_at, share
):
    inbox = Inbox(tmp_path / "inbox")
    task = "mood" if share else "intent"
    options = Options.model_validate({"canary": {"share": share}} if share else {})
    number, killed, n = 1, True, 0
    while killed:
        hand_in(packaged(task), inbox.folder, options)
        killed = killed_at(n)
        for _ in "123":
            round_of_a_new_tend()
        number += 1
        registry = read_registry(repository)
        entry = registry.tasks[task]
        assert entry.newest == number, f"killed before change {n}"
        assert (entry.candidate if share else entry.live) == number
        assert verify(repository) == []
        assert len(list((inbox.folder / "done").iterdir())) == number - 1
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        n += STEP
        if share:
            entry.canary = None
            write_registry(repository, registry)
    assert n > 20
    assert list((inbox.folder / "refused").iterdir()) == []
    assert sorted(path.name for path in inbox.folder.iterdir()) == ["done", "refused", "working"]
