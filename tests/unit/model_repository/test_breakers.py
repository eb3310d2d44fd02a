import itertools
import os
import subprocess
import threading
import time
from signal import Signals
from types import SimpleNamespace

import pytest
from router import breakers as breakers_module
from router.batch_clock import BatchClock
from router.breakers import Breakers
from router.unavailable import DeadError, NotAskedError, NotLoadedError
from router.work_group import AbandonedError

PATIENCE = 10.0
INTENT = ("branch_intent", 3)


class Metrics:
    def __init__(self):
        self.open = {}
        self.refused = 0

    def set_breaker(self, model, version, is_open):
        self.open[model, version] = is_open

    def count_refused(self, *_):
        self.refused += 1


class Model:
    """A model whose calls raise `error`, if there is one."""

    def __init__(self):
        self.calls = 0
        self.error = None
        self.was_called = threading.Event()

    def __call__(self):
        self.calls += 1
        self.was_called.set()
        if self.error is not None:
            raise self.error
        return "answer"


class Processes:
    """Stands in for /proc. known: whether models have processes at all."""

    def __init__(self):
        self.pids = []
        self.stopped = set()

    def find(self, model, version):
        return list(self.pids) if (model, version) == INTENT else []

    def runs(self, pid):
        return pid in self.pids and pid not in self.stopped

    def can_answer(self, model, version):
        return any(self.runs(pid) for pid in self.find(model, version))


@pytest.fixture
def processes():
    return Processes()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(breakers_module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(breakers_module, "_LONGEST_PAUSE", 0.16)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def breakers(metrics, processes):
    breakers = Breakers(metrics, BatchClock(), processes)
    yield breakers
    breakers.keep([])  # ends the trials


@pytest.fixture
def model():
    return Model()


def _wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def _refused(breakers, model):
    with pytest.raises(NotAskedError, match="branch_intent has died"):
        breakers.call(*INTENT, model)


def _die(breakers, model):
    model.error = DeadError("dead")
    with pytest.raises(DeadError):
        breakers.call(*INTENT, model)


def test_a_model_that_is_well_is_called_each_time(breakers, model, metrics):
    assert [breakers.call(*INTENT, model) for _ in range(3)] == ["answer"] * 3
    assert metrics.open == {}


@pytest.mark.parametrize("error", [RuntimeError("bad input"), NotLoadedError("is not ready")])
def test_an_error_of_another_class_opens_no_breaker(breakers, model, error):
    model.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            breakers.call(*INTENT, model)

    assert model.calls == 3


def test_after_a_death_callers_are_refused_without_a_call(breakers, model, metrics, monkeypatch):
    monkeypatch.setattr(breakers_module, "_FIRST_PAUSE", PATIENCE)
    _die(breakers, model)

    for _ in range(3):
        _refused(breakers, model)

    assert model.calls == 1
    assert metrics.open == {INTENT: True}
    assert metrics.refused == 3


def test_other_versions_of_the_model_are_asked_as_before(breakers, model):
    _die(breakers, model)
    model.error = None

    assert breakers.call("branch_intent", 4, model) == "answer"


def test_a_model_that_is_back_is_asked_again_by_itself(breakers, model, metrics):
    _die(breakers, model)
    model.error = None

    _wait_until(lambda: metrics.open == {INTENT: False})

    assert model.calls == 2
    assert breakers.call(*INTENT, model) == "answer"


def test_a_dead_model_is_tried_again_after_pauses_that_grow_to_a_limit(breakers):
    tries = []

    def dead():
        tries.append(time.monotonic())
        raise DeadError("dead")

    with pytest.raises(DeadError):
        breakers.call(*INTENT, dead)
    _wait_until(lambda: len(tries) == 7)  # 20, 20, 40, 80, 160 and 160 ms later

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses[-1] > 4 * 0.02
    assert sum(pauses) >= 0.02 + 0.04 + 0.08 + 2 * 0.16


def test_a_model_that_is_being_loaded_is_tried_again_soon(breakers, model):
    _die(breakers, model)
    model.error = NotLoadedError("is not ready")

    begun = time.monotonic()
    _wait_until(lambda: model.calls >= 6)

    assert time.monotonic() - begun < PATIENCE / 2


def test_a_model_that_answers_with_an_error_is_back(breakers, model, metrics):
    _die(breakers, model)
    model.error = RuntimeError("bad input")
    _wait_until(lambda: metrics.open == {INTENT: False})
    model.error = None

    assert breakers.call(*INTENT, model) == "answer"


def test_a_version_that_nobody_asks_any_more_is_forgotten(breakers, model, metrics):
    _die(breakers, model)

    breakers.keep([("branch_intent", 4)])

    assert metrics.open == {INTENT: False}


@pytest.fixture
def process(processes):
    """A process of the model that a test can end or stop."""
    with subprocess.Popen(["sleep", "60"]) as process:
        processes.pids.append(process.pid)
        yield process
        process.kill()


@pytest.fixture
def under_way(breakers, process):  # noqa: ARG001  the model has a process
    """A call under way: what was said in its place, and how it ended."""
    seen = SimpleNamespace(begun=threading.Event(), released=threading.Event(), in_its_place=[], ended=None)

    def infer():
        seen.begun.set()
        assert seen.released.wait(PATIENCE)
        raise DeadError("Triton notices it as well")

    def call():
        try:
            breakers.call(*INTENT, infer, seen.in_its_place.append)
        except BaseException as error:
            seen.ended = error

    thread = threading.Thread(target=call)
    thread.start()
    assert seen.begun.wait(PATIENCE)
    _wait_until(lambda: breakers._watch.has_seen(INTENT))
    yield seen
    seen.released.set()
    thread.join(PATIENCE)


@pytest.mark.parametrize("signal", [Signals.SIGKILL, Signals.SIGSTOP])
def test_a_call_whose_process_dies_or_stops_is_answered_for_before_triton_notices(
    breakers, processes, process, under_way, model, metrics, signal
):
    if signal is Signals.SIGKILL:
        processes.pids.clear()
    processes.stopped.add(process.pid)
    process.send_signal(signal)

    _wait_until(lambda: under_way.in_its_place)

    assert isinstance(under_way.in_its_place[0], DeadError)
    _refused(breakers, model)
    assert metrics.open == {INTENT: True}
    under_way.released.set()
    _wait_until(lambda: under_way.ended is not None)
    assert isinstance(under_way.ended, AbandonedError), "it must not be answered for twice"
    assert len(under_way.in_its_place) == 1


def test_a_model_without_a_process_is_not_called_before_it_has_another_one(
    breakers, processes, process, under_way, model, metrics
):
    processes.pids.clear()
    process.kill()
    _wait_until(lambda: under_way.in_its_place)
    _refused(breakers, model)  # its call is the one that is tried
    time.sleep(0.2)
    assert model.calls == 0

    processes.pids.append(os.getpid())

    _wait_until(lambda: metrics.open == {INTENT: False})
    assert model.calls == 1


def test_a_process_that_ends_because_its_model_was_loaded_anew_is_no_death(processes, process, under_way, metrics):
    processes.pids[:] = [os.getpid()]
    process.kill()
    process.wait()
    time.sleep(0.5)

    assert under_way.in_its_place == []
    assert metrics.open == {}


def test_an_old_version_that_is_unloaded_is_no_death(breakers, processes, process, metrics, model):
    breakers.call(*INTENT, model)
    _wait_until(lambda: breakers._watch.has_seen(INTENT))
    breakers.keep([("branch_intent", 4)])

    processes.pids.clear()
    process.kill()
    time.sleep(0.5)

    assert metrics.open == {}
