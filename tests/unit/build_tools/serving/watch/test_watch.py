"""The watch against a Triton that is made up: what it brings back, and what it leaves alone."""

import errno
import time

import grpc
import pytest
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_control import Loaded, TritonError
from build_tools.serving.watch import inventory, revival, revival_attempts
from build_tools.serving.watch import watch as watch_module
from build_tools.serving.watch.model_processes import ModelProcess
from build_tools.serving.watch.watch import Watch

MODELS = ("nlu", "nlu_stream", "trunk", "branch_intent", "branch_mood")


class MadeUpTriton:
    """loaded, processes: by model. broken: {model: the error of its probes}. cannot_load: models that stay away."""

    def __init__(self):
        self.ready = set(MODELS)
        self.busy = set()
        self.processes = {model: [number] for number, model in enumerate(MODELS, 1)}
        self.broken = {}
        self.cannot_load = set()
        self.loads = []
        self.silent = False
        self.finds_late = False
        self.complete_at, self.found = 0.0, {}

    def loaded(self):
        if self.silent:
            raise TritonError(_Failed())
        return Loaded(frozenset((model, 1) for model in self.ready), frozenset(self.busy))

    def done(self):
        return {}

    def config(self, model):
        group = pb.ModelInstanceGroup(count=1)
        names = ("input_ids", "attention_mask") if model in ("trunk", "fused") else ("hidden", "attention_mask")
        inputs = [pb.ModelInput(name=name, data_type=pb.TYPE_INT64, dims=[-1, -1]) for name in names]
        return pb.ModelConfig(name=model, instance_group=[group], input=inputs, output=[pb.ModelOutput(name="out")])

    def ask(self, request, _streamed, _seconds):
        if (error := self.broken.get(request.model_name)) is not None:
            raise error

    def load_afresh(self, model, _config, _number):
        self.loads.append(model)
        if model in self.cannot_load:
            raise ServeError(f"{model} cannot be loaded")
        self.ready.add(model)
        self.broken.pop(model, None)
        self.processes[model] = [100 + len(self.loads)]

    def read(self, complete):
        """The process table."""
        if complete or not self.finds_late:
            self.complete_at = time.monotonic()
            self.found = {model: list(pids) for model, pids in self.processes.items()}
        return [
            ModelProcess(pid, (model, 1), False, 0.0)
            for model, pids in self.found.items()
            for pid in pids
            if pid in self.processes[model]
        ]


class _Failed(grpc.RpcError):
    def __init__(self, code=grpc.StatusCode.UNAVAILABLE):
        self._code = code

    def code(self):
        return self._code

    def details(self):
        return "failed to connect"


@pytest.fixture
def triton():
    return MadeUpTriton()


@pytest.fixture
def events():
    return []


@pytest.fixture
def watch(triton, events, tmp_path, monkeypatch, watched):
    (tmp_path / "registry.json").touch()
    for model in MODELS:
        (tmp_path / model).mkdir()
        (tmp_path / model / "config.pbtxt").touch()
    monkeypatch.setattr(watch_module, "read_registry", lambda _: watched)
    monkeypatch.setattr(revival, "read_registry", lambda _: watched)
    monkeypatch.setattr(inventory, "_EVERY", 0.0)
    monkeypatch.setattr(revival_attempts, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watch_module, "_MISSING_SECONDS", 0.1)
    watch = Watch(triton, tmp_path, triton, events.append, {})
    yield watch
    watch.close()


def _look_until(watch, condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (watch.models, watch.unready)
        watch.look()
        time.sleep(0.002)


def _look_often(watch, times=50):
    """So that what must not happen would have happened."""
    for _ in range(times):
        watch.look()
        time.sleep(0.002)


def test_a_server_whose_models_answer_is_ready(watch, triton):
    assert watch.unready is not None
    _look_until(watch, lambda: watch.unready is None)
    assert watch.tasks == {"intent": True, "mood": True}
    assert triton.loads == []


def test_a_dead_branch_is_brought_back_and_does_not_make_the_server_unready(watch, triton, events):
    _look_until(watch, lambda: watch.unready is None)
    triton.cannot_load.add("branch_intent")
    triton.processes["branch_intent"] = []
    _look_until(watch, lambda: not watch.tasks["intent"])
    assert watch.unready is None
    assert watch.tasks["mood"]
    _look_until(watch, lambda: triton.loads.count("branch_intent") > 2)
    assert watch.beyond_repair is None, "one branch must not have the whole server started again"

    triton.cannot_load.clear()
    _look_until(watch, lambda: watch.tasks["intent"])
    assert set(triton.loads) == {"branch_intent"}
    assert "branch_intent: 0 of 1 processes are left: bringing it back" in events
    assert events[-1] == "branch_intent: is back"
    assert watch.models["branch_intent"].restarts == len(triton.loads)


def test_a_dead_trunk_makes_the_server_unready_until_its_new_process_answers(watch, triton):
    _look_until(watch, lambda: watch.unready is None)
    triton.processes["trunk"] = []
    _look_until(watch, lambda: watch.unready == "trunk: its process has ended")
    _look_until(watch, lambda: watch.unready is None)
    assert triton.loads == ["trunk"]


def test_a_trunk_that_cannot_be_brought_back_is_beyond_repair(watch, triton):
    _look_until(watch, lambda: watch.unready is None)
    triton.cannot_load.add("trunk")
    triton.processes["trunk"] = []
    _look_until(watch, lambda: watch.beyond_repair is not None)
    assert watch.beyond_repair == "trunk cannot be brought back (trunk cannot be loaded)"


def test_a_dead_fused_graph_is_brought_back_and_its_tasks_are_not_ready_until_then(
    watch, triton, compacted, watched, tmp_path
):
    (tmp_path / "fused").mkdir()
    (tmp_path / "fused" / "config.pbtxt").touch()
    watched.trunks, watched.tasks = compacted.trunks, compacted.tasks | {"mood": watched.tasks["mood"]}
    watched.trunks["trunk"].fused.version = 1
    triton.ready -= {"trunk", "branch_intent", "branch_mood"}
    triton.ready.add("fused")
    triton.processes = {"nlu": [1], "nlu_stream": [2], "fused": [3]}
    _look_until(watch, lambda: watch.unready is None)
    _look_until(watch, lambda: watch.tasks == {"intent": True, "mood": True})
    assert triton.loads == [], "neither trunk nor branches are missed"

    triton.processes["fused"] = []
    _look_until(watch, lambda: watch.unready == "fused: its process has ended")
    assert watch.tasks == {"intent": False, "mood": False}
    _look_until(watch, lambda: watch.unready is None and watch.tasks["mood"])
    assert triton.loads == ["fused"]


def test_what_a_command_has_made_live_is_ready_before_triton_is_looked_at_again(
    watch, compacted, watched, tmp_path, monkeypatch
):
    _look_until(watch, lambda: watch.unready is None)
    monkeypatch.setattr(inventory, "_EVERY", 1000.0)
    _look_often(watch)  # a look that has begun before ends
    watched.trunks, watched.tasks = compacted.trunks, compacted.tasks | {"mood": watched.tasks["mood"]}
    watched.trunks["trunk"].fused.version = 1
    (tmp_path / "registry.json").write_text("{}")
    watch.look()
    assert watch.unready is None
    assert watch.tasks == {"intent": True, "mood": True}

    monkeypatch.setattr(inventory, "_EVERY", 0.0)
    _look_until(watch, lambda: watch.unready == "fused: it is not loaded")


@pytest.mark.parametrize("state", ["busy", "unloaded"])
def test_a_model_that_a_command_loads_or_unloads_is_not_dead(watch, triton, state):
    _look_until(watch, lambda: watch.unready is None)
    triton.ready.add("branch_new")
    triton.processes["branch_new"] = [50]
    _look_often(watch)
    if state == "busy":
        triton.busy.add("branch_new")
    else:
        triton.ready.discard("branch_new")
    triton.processes["branch_new"] = []
    _look_often(watch)
    assert triton.loads == []


def test_a_model_whose_processes_have_not_been_found_yet_is_not_dead(watch, triton):
    _look_until(watch, lambda: watch.unready is None)
    triton.finds_late = True
    triton.ready.add("branch_new")
    triton.processes["branch_new"] = [50]
    _look_often(watch, 100)
    assert triton.loads == []
    assert watch.models["branch_new"].ready


def test_a_model_that_answers_nothing_is_killed_and_brought_back(watch, triton, monkeypatch):
    _look_until(watch, lambda: watch.unready is None)
    killed = []
    monkeypatch.setattr(revival_attempts.os, "kill", lambda pid, _: killed.append(pid))
    monkeypatch.setattr(watch_module, "PROBE_EVERY", 0.0)
    process = triton.processes["branch_mood"]
    triton.broken["branch_mood"] = TritonError(_Failed(grpc.StatusCode.DEADLINE_EXCEEDED))
    _look_until(watch, lambda: triton.loads == ["branch_mood"])
    assert killed[:1] == process
    _look_until(watch, lambda: watch.tasks["mood"])


def test_a_model_that_the_registry_needs_and_nobody_has_loaded_is_loaded(watch, triton):
    _look_until(watch, lambda: watch.unready is None)
    triton.ready.discard("branch_mood")
    triton.processes["branch_mood"] = []
    _look_until(watch, lambda: triton.loads == ["branch_mood"])
    _look_until(watch, lambda: watch.tasks["mood"])


def test_a_triton_that_does_not_answer_is_beyond_repair_after_a_while(watch, triton, monkeypatch):
    _look_until(watch, lambda: watch.unready is None)
    monkeypatch.setattr(inventory, "_HUNG_SECONDS", 0.1)
    triton.silent = True
    _look_until(watch, lambda: watch.beyond_repair is not None)
    assert "Triton has not answered" in watch.beyond_repair
    assert triton.loads == []


def test_a_damaged_registry_leaves_the_last_good_one_in_force(watch, tmp_path, monkeypatch, events):
    _look_until(watch, lambda: watch.unready is None)

    def damaged(_):
        raise ServeError("registry.json is damaged")

    monkeypatch.setattr(watch_module, "read_registry", damaged)
    (tmp_path / "registry.json").write_text("[")
    _look_until(watch, lambda: any("registry.json is damaged" in event for event in events))
    _look_often(watch)
    assert watch.unready is None
    assert watch.tasks == {"intent": True, "mood": True}
    assert sum("is damaged" in event for event in events) == 1


def test_the_processes_that_live_are_told(watch, triton):
    _look_until(watch, lambda: watch.pids == {1, 2, 3, 4, 5})
    triton.processes["branch_mood"] = []
    _look_until(watch, lambda: 5 not in watch.pids)


def test_a_registry_that_may_not_be_read_for_a_while_ends_nothing(watch, watched, tmp_path, monkeypatch, events):
    """Of a publisher whose umask keeps others out, or on a file system that is away."""
    _look_until(watch, lambda: watch.unready is None)

    def refused(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(watch_module, "read_registry", refused)
    (tmp_path / "registry.json").write_text("{}")
    _look_often(watch)
    assert watch.unready is None
    assert [event.partition(" ")[0] for event in events] == ["registry:"]
    assert "cannot be read (Permission denied). The last good one stays in force." in events[0]

    read = []
    monkeypatch.setattr(watch_module, "read_registry", lambda _: read.append(1) or watched)
    _look_often(watch)
    assert len(read) == 1, "it is tried again, and then as often as it changes"
