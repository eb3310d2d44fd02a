"""What one round does, and that a step that fails does not keep the others from being done."""

import errno
import threading
from contextlib import contextmanager

import pytest
from filelock import FileLock

from build_tools.errors import BuildError, NotNowError
from build_tools.fleet.asking import Replica
from build_tools.fleet.requirement import EVERY
from build_tools.fleet.terms import FleetTerms
from build_tools.publishing.running_server import NoServer
from build_tools.repository.registry import CanaryEntry, read_registry, write_registry
from build_tools.repository.replica_state import CandidateCounts, ReplicaState
from build_tools.tending import tend as tend_module
from build_tools.tending.case import Outcome
from build_tools.tending.inbox import Inbox
from build_tools.tending.tend import Tending
from clients.address import parse_address


class Fleet(NoServer):
    """Servers that say what a test wants: {name: its state, or why there is none}."""

    def __init__(self):
        self.servers = {"http://a:8000": ReplicaState(server="a-1", ready=True, generation=1)}
        self.replicas = self

    def look(self):
        return [
            Replica(parse_address(name), None, said) if isinstance(said, str) else Replica(parse_address(name), said)
            for name, said in self.servers.items()
        ]


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def said():
    return []


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def applied(monkeypatch):
    """The names of the artefacts that were published; `applied.fails` is raised instead."""

    class Applied(list):
        fails = None

    applied = Applied()

    def apply(case, *_):
        if applied.fails:
            raise applied.fails
        applied.append(case.name)
        return Outcome.now("intent", len(applied))

    monkeypatch.setattr(tend_module, "apply", apply)
    return applied


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """How often the repository was mended."""
    settled = []
    monkeypatch.setattr("build_tools.tending.mend.settle", settled.append)
    return settled


@pytest.fixture
def tending(repository, fleet, inbox, said):
    return Tending(repository, fleet, EVERY, inbox, None, said.append)


def test_each_round_publishes_one_artefact_and_says_so(tending, inbox, applied, said):
    for name in "ab":
        (inbox.folder / f"{name}.espalier").touch()
    tending.round()
    assert said == ["a.espalier is version 1 of intent"]
    for _ in "123":
        tending.round()
    assert applied == ["a.espalier", "b.espalier"]
    assert len(list((inbox.folder / "done").iterdir())) == 2


def test_an_artefact_waits_for_the_servers_that_are_required(tending, inbox, applied, fleet, said):
    (inbox.folder / "a.espalier").touch()
    fleet.servers["http://b:8000"] = ReplicaState(server="b-1", ready=True, stopping=True, generation=1)
    for _ in "123":
        tending.round()
    assert applied == []
    assert said == ["a.espalier waits: 1 of 2 servers are ready, and 2 must be (--require)"]
    del fleet.servers["http://b:8000"]
    tending.round()
    assert applied == ["a.espalier"]


def test_a_full_disk_is_no_fault_of_the_artefact_and_it_is_tried_again_later(
    tending, inbox, applied, said, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(tend_module.time, "monotonic", lambda: now[0])
    (inbox.folder / "a.espalier").touch()
    applied.fails = NotNowError("no space left on device")
    for _ in "123":
        tending.round()
    now[0] += 31
    tending.round()
    assert said == ["no space left on device"]
    applied.fails = None
    now[0] += 31
    tending.round()
    assert applied == ["a.espalier"]
    assert list((inbox.folder / "refused").iterdir()) == []


def test_a_canary_out_of_bounds_is_withdrawn_also_if_another_server_is_not_there(tending, repository, fleet, said):
    registry = read_registry(repository)
    registry.tasks["intent"].canary = CanaryEntry(version=2, share=0.1)
    write_registry(repository, registry)
    counts = {"intent": {2: CandidateCounts(answers=1, dropped=True)}}
    fleet.servers = {
        "http://a:8000": ReplicaState(server="a-1", ready=True, generation=1, counts=counts),
        "http://b:8000": "no answer in 5 s",
    }
    tending.round()
    assert read_registry(repository).tasks["intent"].canary is None
    assert said == [
        "http://b:8000 gives no state: no answer in 5 s",
        "canary 2 of intent is withdrawn: a router on a-1 has found it out of bounds, and says why in its log",
    ]


def test_what_is_wrong_with_a_server_is_said_once_and_when_it_is_right_again(tending, fleet, said):
    fleet.servers["http://b:8000"] = "no answer in 5 s"
    for _ in "123":
        tending.round()
    behind = {"generation": 1, "behind": "trunk/2/model.onnx is not here yet"}
    fleet.servers["http://b:8000"] = ReplicaState(server="b-1", ready=True, **behind)
    tending.round()
    fleet.servers["http://b:8000"] = ReplicaState(server="b-1", ready=True, generation=2)
    tending.round()
    fleet.servers["http://b:8000"] = ReplicaState(server="b-1", ready=False, reason="Triton loads", generation=2)
    tending.round()
    fleet.servers["http://b:8000"] = ReplicaState(server="b-1", ready=False, stopping=True, generation=2)
    tending.round()
    del fleet.servers["http://b:8000"]
    tending.round()
    assert said == [
        "http://b:8000 gives no state: no answer in 5 s",
        "http://b:8000 (b-1) is at generation 1: trunk/2/model.onnx is not here yet",
        "http://b:8000 is right again, at generation 1",
        "http://b:8000 (b-1) is not ready: Triton loads",
        "http://b:8000 is right again, at generation 1",
    ]


def test_a_step_that_fails_is_said_once_and_the_next_ones_are_done(tending, inbox, applied, said, monkeypatch):
    def damaged(_):
        raise BuildError("the lock is taken")

    monkeypatch.setattr("build_tools.tending.mend.settle", damaged)
    monkeypatch.setattr("build_tools.tending.mend._EVERY_SECONDS", 0.0)
    (inbox.folder / "a.espalier").touch()
    tending.round()
    tending.round()
    assert said == ["the lock is taken", "a.espalier is version 1 of intent"]
    assert applied == ["a.espalier"]


def test_what_a_killed_publisher_has_left_is_mended_at_once_unless_another_command_works(tending, repository, settled):
    for _ in "123":
        tending.round()
    assert len(settled) == 1
    (repository / "proposal.json").touch()
    with FileLock(repository / "repository.lock"):
        tending.round()
    assert len(settled) == 1
    tending.round()
    assert len(settled) == 2


def test_while_too_few_servers_are_ready_nothing_that_waits_for_them_is_mended(
    tending, repository, registry, fleet, settled, monkeypatch
):
    monkeypatch.setattr("build_tools.tending.mend._EVERY_SECONDS", 0.0)
    fleet.servers["http://b:8000"] = "no answer in 5 s"
    tending.round()
    assert len(settled) == 1, "what changes no registry needs nobody"

    unread = registry.trunks | {"trunk.2": registry.trunks["trunk"]}
    write_registry(repository, registry.model_copy(update={"trunks": unread}))
    (repository / "proposal.json").touch()
    tending.round()
    assert len(settled) == 1
    assert not (repository / "proposal.json").exists()

    del fleet.servers["http://b:8000"]
    tending.round()
    assert len(settled) == 2


def test_a_folder_that_is_away_does_not_end_it_and_is_said_once(repository, fleet, said, monkeypatch):
    """NFS says so with an OSError of its own."""
    ended, away = threading.Event(), iter([True, True, False])

    @contextmanager
    def open_fleet(*_):
        if next(away):
            raise OSError(errno.ESTALE, "Stale file handle")
        ended.set()
        yield fleet

    monkeypatch.setattr(tend_module, "open_fleet", open_fleet)
    monkeypatch.setattr(tend_module, "_ROUND_SECONDS", 0.0)
    terms = FleetTerms.of_options("a:8000")
    tend_module.tend(repository, terms, None, None, ended, said.append)
    assert [sentence.partition("Stale")[1] for sentence in said] == ["Stale", ""]


def test_a_compaction_that_cannot_be_started_is_said_once(repository, fleet, said):
    class NoMemory:
        def look(self, _):
            raise OSError(errno.ENOMEM, "Cannot allocate memory")

    tending = Tending(repository, fleet, EVERY, None, NoMemory(), said.append)
    for _ in "123":
        tending.round()
    assert said == ["[Errno 12] Cannot allocate memory"]


def test_a_fault_of_one_step_is_said_once_and_does_not_end_the_others(tending, inbox, applied, said, monkeypatch):
    monkeypatch.setattr(tending._judge, "judge", lambda *_: 1 / 0)
    (inbox.folder / "a.espalier").touch()
    tending.round()
    tending.round()
    assert said == ["canaries: ZeroDivisionError: division by zero", "a.espalier is version 1 of intent"]
    assert applied == ["a.espalier"]
