"""A fleet of the test's own: servers that only answer at /state, over real HTTP."""

import fcntl
import itertools
import os
import signal
import socket
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from stand_in_fleet import StandIn, answering

from build_tools.errors import BuildError
from build_tools.fleet.requirement import ALL
from build_tools.fleet.terms import FleetTerms
from build_tools.progress import Progress
from build_tools.publishing import fleet_server, leaving, release
from build_tools.publishing.fleet_server import open_fleet
from build_tools.publishing.registry_transitions import published
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.staged_version import StagedVersion
from build_tools.publishing.trunk_plan import TrunkPlan
from build_tools.publishing.verify import verify
from build_tools.repository.audit import AUDIT_LOG, read_lines
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.precision import Precision
from build_tools.repository.proposal import PROPOSAL, write_proposal
from build_tools.repository.registry import read_registry
from build_tools.repository.serving_lock import SERVING_LOCK


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fleet_server, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(fleet_server, "_SLOW_SECONDS", 3.0)  # all answer here, so each look hears all
    monkeypatch.setattr(leaving, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(leaving, "_MOST_SECONDS", 0.3)


@pytest.fixture
def told():
    """What the commands report."""
    return []


@pytest.fixture
def fleet(repository, told):
    """Starts stand-ins, and opens them as a fleet."""
    ensure_control_key(repository)
    with ExitStack() as stack:

        def start(*stand_ins, require=ALL, patience=5.0, more=""):
            urls = [stack.enter_context(answering(one)) for one in stand_ins]
            terms = FleetTerms.of_options(",".join([*urls, *more.split()]), require, patience)
            return stack.enter_context(open_fleet(repository, terms, told.append))

        yield start


@pytest.fixture
def publish(tmp_path, repository, make_record):
    """Publishes a branch from a folder beside the repository, as intent's version 4."""

    def publish(server, report=lambda _: None):
        branch = tmp_path / "staged" / "branch"
        branch.mkdir(parents=True)
        (branch / "model.onnx").write_text("the new one")
        trunk = read_registry(repository).trunks["trunk"]
        plan = TrunkPlan("trunk", trunk, trunk, takes_carried=False)
        staged = StagedVersion(make_record(), SimpleNamespace(), "a1", plan, branch, None, {}, Precision.FP32)
        progress = Progress("it is not published: it failed", report)
        with progress.failures_told():
            return release.release(staged, ServedRepository(repository, server), None, False, 5, False, progress)

    return publish


@pytest.fixture(autouse=True)
def _asked_by_the_servers_alone(monkeypatch):
    monkeypatch.setattr(release, "asked_graphs", lambda *_: pytest.fail("asked by the publisher"))


def _tree(repository):
    files = {path: path.read_bytes() if path.is_file() else None for path in repository.rglob("*")}
    return {path: content for path, content in files.items() if not path.name.endswith(".lock")}


def _addresses(servers):
    return ",".join(one.address.url for one in servers.replicas.look())


def _gone():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_publish_is_live_once_every_server_has_it_ready_and_the_publisher_asks_no_golden_examples(
    publish, fleet, repository, told
):
    late = StandIn(repository, "late", late=3)
    generation = read_registry(repository).generation

    assert publish(fleet(StandIn(repository, "a"), late)) == 4

    registry = read_registry(repository)
    assert (registry.tasks["intent"].live, registry.generation) == (4, generation + 1)
    assert late.late == 0
    assert late.state().generation == registry.generation
    assert not (repository / PROPOSAL).exists()
    assert verify(repository) == []
    assert told == []


def test_nobody_sees_the_new_registry_before_the_last_server_is_ready(publish, fleet, repository):
    seen = []
    late = StandIn(repository, "late", late=3)
    late.on_asked = lambda: seen.append((late.late, read_registry(repository).tasks["intent"].live))

    publish(fleet(StandIn(repository, "a"), late))

    assert {live for left, live in seen if left > 0} == {3}
    assert seen[-1] == (0, 4)


def test_a_version_that_one_server_refuses_is_withdrawn_from_all_and_leaves_nothing(publish, fleet, repository):
    good, bad = StandIn(repository, "good"), StandIn(repository, "bad", proposal={"refused": "label 3 is another"})
    servers = fleet(good, bad)
    before = _tree(repository)

    with pytest.raises(BuildError) as refused:
        publish(servers)

    assert str(refused.value).startswith("it is not published: it failed at step 'the servers of the fleet': http://")
    assert str(refused.value).endswith("refuses it: label 3 is another")
    assert _tree(repository) == before
    assert good.state().proposal is None


def test_a_server_that_never_has_it_is_named_when_patience_is_over(publish, fleet, repository, monkeypatch, told):
    seconds = itertools.count()  # a clock on which each look takes one
    monkeypatch.setattr(fleet_server, "time", SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None))
    waiting = StandIn(repository, "b", proposal={"waiting": "branch_intent/4 is not here yet"})
    deaf = StandIn(repository, "c", late=10**6)
    gone = _gone()
    servers = fleet(StandIn(repository, "a"), waiting, deaf, patience=10.0, more=gone)
    before = _tree(repository)

    with pytest.raises(BuildError) as failed:
        publish(servers)

    said = str(failed.value)
    assert "after 10 s 1 of 4 servers have generation 2 ready, and 4 must (--require, --patience)" in said
    assert "it waits: branch_intent/4 is not here yet" in said
    assert "it sees no proposal: is it `espalier serve --replica` on this folder?" in said
    assert f"http://{gone}: it cannot be reached (Connection refused)" in said
    assert told[0].startswith("waiting: http://")
    assert _tree(repository) == before


@pytest.mark.parametrize("require", ["2", "60%"])
def test_no_more_servers_are_waited_for_than_are_required_and_the_others_are_told(
    publish, fleet, repository, told, require
):
    behind = StandIn(repository, "c", late=10**6, adopts=False, says={"behind": "trunk/2 is not here yet"})

    publish(fleet(StandIn(repository, "a"), StandIn(repository, "b"), behind, require=require))

    assert read_registry(repository).tasks["intent"].live == 4
    (line,) = told
    assert line.startswith("these servers follow by themselves, as soon as they can: http://127.0.0.1:")
    assert line.endswith("(it is behind, at generation 1: trunk/2 is not here yet)")


def test_a_server_that_is_started_again_in_the_middle_is_waited_for(publish, fleet, repository):
    restarted = StandIn(repository, "b")
    servers = fleet(StandIn(repository, "a"), restarted)
    restarted.away = 3

    publish(servers)

    assert restarted.away == 0
    assert read_registry(repository).tasks["intent"].live == 4


def test_a_fleet_that_is_gone_by_then_is_told_and_nothing_is_changed(publish, fleet, repository):
    only = StandIn(repository, "a")
    servers = fleet(only, patience=0.3)
    only.away = 10**6
    before = _tree(repository)

    with pytest.raises(BuildError, match="no server of the fleet answers"):
        publish(servers)

    assert _tree(repository) == before


def test_a_publisher_who_is_stopped_withdraws_what_it_has_proposed(publish, fleet, repository, monkeypatch):
    servers = fleet(StandIn(repository, "a", late=10**6))
    before = _tree(repository)
    monkeypatch.setattr(fleet_server.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        publish(servers)

    assert _tree(repository) == before


@pytest.mark.parametrize(
    ("error", "why"), [(KeyboardInterrupt(), "interrupted"), (BuildError("no key can be read"), "no key can be read")]
)
def test_who_waits_no_longer_for_what_is_committed_is_not_told_that_it_failed(
    publish, fleet, repository, told, monkeypatch, error, why
):
    servers = fleet(StandIn(repository, "a"))

    def fail(_):
        raise error

    monkeypatch.setattr(servers, "_wait_until_adopted", fail)
    assert publish(servers) == 4
    assert read_registry(repository).tasks["intent"].live == 4
    assert [line["action"] for line in read_lines(repository / AUDIT_LOG)] == ["publish"]
    assert told == [f"generation 2 is committed, and not waited for any longer ({why})"]


def test_a_rollback_goes_the_same_way(fleet, repository):
    server = StandIn(repository, "a")

    assert rollback("intent", repository, fleet(server)) == (3, 2)

    assert read_registry(repository).tasks["intent"].live == 2
    assert server.seen  # it was proposed
    assert [line["action"] for line in read_lines(repository / AUDIT_LOG)] == ["rollback"]


def test_a_rollback_that_a_server_refuses_changes_nothing(fleet, repository):
    before = _tree(repository)

    with pytest.raises(BuildError, match="refuses it: version 2 of intent does not answer"):
        rollback(
            "intent",
            repository,
            fleet(StandIn(repository, proposal={"refused": "version 2 of intent does not answer"})),
        )

    found = _tree(repository)
    found.pop(repository / "control.key")
    before.pop(repository / "control.key", None)
    assert found == before


def test_a_retired_task_leaves_the_disk_when_every_server_has_left_it(fleet, repository, told, monkeypatch):
    monkeypatch.setattr(leaving, "_MOST_SECONDS", 30.0)
    server = StandIn(repository, "a", says={"settled": 1})

    def leave():
        if read_registry(repository).generation == 2 and server.asked > 8:
            server.says = {}
        assert (repository / "branch_mood").is_dir() or not server.says

    server.on_asked = leave
    retire("mood", repository, fleet(server), report=told.append)

    assert not (repository / "branch_mood").exists()
    assert told == ["waiting for the requests in flight on all servers"]
    assert verify(repository) == []


@pytest.mark.parametrize("unsettled", [{"says": {"settled": 1}}, {"away": 10**6}])
def test_what_a_server_may_still_read_stays_and_a_later_change_removes_it(fleet, repository, told, unsettled):
    server = StandIn(repository, "b")
    servers = fleet(StandIn(repository, "a"), server, require="1")
    for name, value in unsettled.items():
        setattr(server, name, value)

    retire("mood", repository, servers, report=told.append)

    assert (repository / "branch_mood" / "1" / "model.onnx").is_file()
    assert not (repository / "mood").exists()  # its ensemble: each server has its own
    assert told[-1] == "1 earlier versions stay on disk until all servers have left them"

    server.says, server.away = {}, 0
    with ServedRepository.locked(repository, servers, told.append) as served:
        settle(served)
    assert not (repository / "branch_mood").exists()


@pytest.mark.parametrize("mends", ["a fleet", "no server"])
def test_what_a_killed_publisher_has_proposed_is_removed_by_the_next_change(
    fleet, repository, registry, make_version, mends
):
    trunk = registry.trunks["trunk"]
    dead = published(registry, "intent", 4, make_version(), trunk, None, False, 5, None)
    write_proposal(repository, dead.model_copy(update={"generation": 2}))
    staged = [repository / name for name in ("branch_intent/4", "trunk/2", "trunk.2/1")]
    for folder in staged:
        folder.mkdir(parents=True)
    server = StandIn(
        repository, "a", says={"settled": 0}
    )  # it has left nothing; nobody has ever asked for the dead one

    with ServedRepository.locked(
        repository, fleet(server) if mends == "a fleet" else NoServer(), lambda _: None
    ) as served:
        settle(served)

    assert not (repository / PROPOSAL).exists()
    assert not any(folder.exists() for folder in staged)  # the next publish makes others of these names
    assert read_registry(repository) == registry
    assert verify(repository) == []


@pytest.mark.parametrize(
    ("step", "when", "live"),
    [
        ("write_proposal", "before", 3),
        ("write_proposal", "after", 3),
        ("commit_proposal", "before", 3),
        ("commit_proposal", "after", 2),
    ],
)
def test_killed_at_any_point_the_folder_is_at_one_generation_and_the_next_command_goes_on(
    fleet, repository, monkeypatch, step, when, live
):
    servers = fleet(StandIn(repository, "a"))
    real = getattr(fleet_server, step)

    def killed(*given):
        if when == "after":
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    terms = FleetTerms.of_options(_addresses(servers))
    pid = os.fork()
    if not pid:
        monkeypatch.setattr(fleet_server, step, killed)
        with open_fleet(repository, terms, print) as own:
            rollback("intent", repository, own)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL

    assert (repository / PROPOSAL).exists() == (
        (step, when) in [("write_proposal", "after"), ("commit_proposal", "before")]
    )
    assert read_registry(repository).tasks["intent"].live == live
    assert rollback("intent", repository, servers) == (live, live - 1)
    assert not (repository / PROPOSAL).exists()
    with ServedRepository.locked(repository, servers, lambda _: None) as served:
        settle(served)
    assert verify(repository) == []


def test_a_rollback_writes_its_own_proposal_over_a_dead_one(fleet, repository, registry):
    write_proposal(repository, registry.model_copy(update={"generation": 2}))
    server = StandIn(repository, "a")

    rollback("intent", repository, fleet(server))

    assert read_registry(repository).tasks["intent"].live == 2
    assert not (repository / PROPOSAL).exists()


def test_without_a_fleet_a_dead_proposal_goes_too_or_servers_would_go_on_loading_it(repository, registry):
    write_proposal(repository, registry.model_copy(update={"generation": 2}))

    rollback("intent", repository, NoServer())

    assert not (repository / PROPOSAL).exists()


def test_a_server_here_that_is_no_replica_would_break_so_a_fleet_is_not_opened_beside_it(fleet, repository):
    with (repository / SERVING_LOCK).open("a") as router:
        fcntl.flock(router, fcntl.LOCK_SH)

        with pytest.raises(BuildError, match=r"a server has .* open"):
            fleet(StandIn(repository))


def test_a_repository_without_a_control_key_has_no_way_to_ask_its_servers(fleet, repository):
    (repository / "control.key").unlink()
    with pytest.raises(BuildError, match=r"has no control\.key: run espalier upgrade"):
        fleet(more="127.0.0.1:1")
