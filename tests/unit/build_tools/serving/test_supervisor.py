"""What the supervisor does when the parts fail that it runs; here they are made up."""

import hashlib
import time
from types import SimpleNamespace

import pytest

from build_tools.repository.registry import Registry, TrunkEntry, write_registry
from build_tools.repository.replica_state import ReplicaState
from build_tools.serving import supervisor as supervisor_module
from build_tools.serving import watched_triton
from build_tools.serving.errors import ServeError
from build_tools.serving.replica.standing import Standing
from build_tools.serving.state import ModelState, ServerState, self_report_file
from build_tools.serving.state_writer import StateWriter
from build_tools.serving.supervisor import Settings, Supervisor


class MadeUpServer:
    """cannot_start: sentences with which its next starts fail. ended: why it has ended, or None."""

    pid = 1
    tolerant = False

    def __init__(self):
        self.cannot_start, self.ended, self.starts, self.stops = [], None, 0, 0

    def start(self):
        self.starts += 1
        if self.cannot_start:
            raise ServeError(self.cannot_start.pop(0))
        self.ended = None

    def exit_reason(self):
        return self.ended

    def kill(self):
        pass

    def stop(self):
        self.stops += 1


class MadeUpWatch:
    unready = beyond_repair = None

    def __init__(self):
        self.pids, self.looks = set(), 0
        self.models, self.tasks = {"trunk": ModelState(ready=True)}, {"intent": True}

    def look(self):
        self.looks += 1

    def close(self):
        pass


class MadeUpGates:
    listen, restarts = True, 0

    def __init__(self, state):
        self.pids = []
        self.state, self.told = state, None

    def start(self):
        pass

    def look(self):
        pass

    def stop(self):
        self.told = ServerState.read(self.state)


class Parts:
    """The parts of the supervisor that was made last, and the events that it reported."""

    def __init__(self):
        self.server, self.watch, self.gates, self.events = MadeUpServer(), MadeUpWatch(), None, []

    def make_gates(self, _settings, state, *_):
        self.gates = MadeUpGates(state)
        return self.gates


@pytest.fixture
def parts(monkeypatch):
    parts = Parts()
    monkeypatch.setattr(supervisor_module, "TritonServer", lambda *_, **__: parts.server)
    monkeypatch.setattr(watched_triton, "Watch", lambda *_: parts.watch)
    monkeypatch.setattr(supervisor_module, "GateProcesses", parts.make_gates)
    for name in ("_LOOK_SECONDS", "_WRITE_SECONDS", "_TOLD_SECONDS"):
        monkeypatch.setattr(supervisor_module, name, 0.005)
    monkeypatch.setattr(watched_triton, "_PAUSES", (0.0,) * 5)
    return parts


@pytest.fixture
def server(parts, tmp_path):
    with Supervisor(Settings(tmp_path), parts.events.append) as server:
        yield server


def _wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_what_is_served_is_written_for_the_gates_all_the_time(server):
    first = ServerState.read(server.state_file)
    _wait_for(lambda: ServerState.read(server.state_file).written_at > first.written_at)
    assert first.ready
    assert first.tasks == {"intent": True}
    assert first.models.keys() == {"trunk", "gate"}


def test_a_tritonserver_that_has_ended_is_started_again(server, parts):
    parts.server.ended = "tritonserver ended by itself (signal SIGKILL):\nE its last words"
    _wait_for(lambda: server.state.server_restarts == 1 and server.state.ready)
    assert parts.server.starts == 2
    assert parts.server.tolerant, "one branch that cannot be loaded must not end all others"
    assert "tritonserver: tritonserver ended by itself (signal SIGKILL): starting it again" in parts.events


def test_a_server_that_cannot_be_healed_is_started_again(server, parts):
    parts.watch.beyond_repair = "trunk cannot be brought back (no memory)"
    _wait_for(lambda: server.state.server_restarts >= 1)
    parts.watch.beyond_repair = None
    _wait_for(lambda: server.state.ready)


def test_after_five_starts_in_vain_it_ends_with_triton_s_own_lines(server, parts):
    parts.server.cannot_start = [f"tritonserver did not start:\nE why {number}" for number in range(9)]
    parts.server.ended = "tritonserver ended by itself"

    with pytest.raises(ServeError, match="started again 5 times in vain: tritonserver did not start:\nE why 4"):
        server.wait()


def test_a_gate_that_does_not_listen_makes_the_server_unready(server, parts):
    parts.gates.listen = False
    _wait_for(lambda: not server.state.ready)
    assert server.state.reason == "gate: no process listens"


def test_the_gates_are_told_that_the_server_stops_before_they_end(parts, tmp_path):
    with Supervisor(Settings(tmp_path), print) as server:
        folder = server.state_file.parent
    assert (parts.gates.told.ready, parts.gates.told.stopping) == (False, True)
    assert parts.server.stops == 1
    assert not folder.exists()


class MadeUpFollower:
    """done: what was asked of it, in order, with what the server's Triton had been asked by then."""

    def __init__(self, parts):
        self._parts, self.done = parts, []

    def standing(self):
        return Standing(generation=3, sha256="3", settled=2)

    def start(self):
        self.done.append(("start", self._parts.server.starts, self._parts.server.stops))

    def end(self):
        self.done.append(("end", self._parts.server.starts, self._parts.server.stops))

    def join(self):
        self.done.append(("join", self._parts.server.starts, self._parts.server.stops))


def test_a_replica_s_follower_lives_while_triton_does_and_its_standing_is_told(parts, tmp_path):
    follower = MadeUpFollower(parts)
    replica = SimpleNamespace(follower=lambda *_: follower)
    with Supervisor(Settings(tmp_path, replica=replica), parts.events.append) as server:
        said = ReplicaState.model_validate_json(self_report_file(server.state_file).read_bytes())
        assert (said.generation, said.settled, said.ready, said.tasks) == (3, 2, True, {"intent": True})

    assert follower.done == [("start", 1, 0), ("end", 1, 0), ("join", 1, 1)]


def test_a_server_that_is_no_replica_tells_its_registry_as_adopted(parts, tmp_path):
    trunk = TrunkEntry(encoder="tiny", config={}, taps=[], fingerprints=[], tokenizers={})
    write_registry(tmp_path, Registry(generation=5, runtime="openvino", trunks={"trunk": trunk}, tasks={}))
    with Supervisor(Settings(tmp_path), parts.events.append) as server:
        said = ReplicaState.model_validate_json(self_report_file(server.state_file).read_bytes())

    assert (said.generation, said.settled, said.proposal) == (5, 5, None)
    assert said.sha256 == hashlib.sha256((tmp_path / "registry.json").read_bytes()).hexdigest()


def test_a_start_that_fails_leaves_nothing_behind(parts, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    parts.server.cannot_start = ["tritonserver did not start"]

    with pytest.raises(ServeError, match="tritonserver did not start"):
        Supervisor(Settings(tmp_path), print).start()

    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_watch_that_breaks_ends_the_server_instead_of_leaving_it_unwatched(server, parts, monkeypatch):
    def breaks():
        raise RuntimeError("a bug")

    monkeypatch.setattr(parts.watch, "look", breaks)

    with pytest.raises(RuntimeError, match="a bug"):
        server.wait()


def test_a_supervisor_that_can_tell_nothing_any_more_ends_the_server(server, monkeypatch):
    """Its gates would say that it is silent, and it would go on for ever."""

    def breaks(_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(StateWriter, "count", breaks)

    with pytest.raises(RuntimeError, match="a bug"):
        server.wait()


def test_what_only_living_processes_tell_goes_with_a_process_that_ends(server, parts):
    """A router that died with an open breaker would be an alert for ever."""
    parts.gates.pids, parts.watch.pids = [6], {7, 8}
    told = [server.state_file.parent / "metrics" / f"gauge_livemax_{pid}.db" for pid in (6, 7, 8)]
    for file in told:
        file.touch()
    looks = parts.watch.looks
    _wait_for(lambda: parts.watch.looks > looks + 1)
    parts.gates.pids, parts.watch.pids = [9], {8}
    _wait_for(lambda: not told[0].exists() and not told[1].exists())
    assert told[2].exists()
