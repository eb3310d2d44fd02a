import itertools
import threading

import pytest
from router import breakers as breakers_module
from router.breakers import Breakers
from router.unavailable import DeadError, NotAskedError, NotLoadedError

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


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = type("Clock", (), {"now": 100.0})
    monkeypatch.setattr(breakers_module, "time", type("Time", (), {"monotonic": staticmethod(lambda: clock.now)}))
    return clock


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def breakers(metrics):
    return Breakers(metrics)


@pytest.fixture
def model():
    return Model()


def _wait_for_trials():
    for thread in threading.enumerate():
        if thread.name == "try":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _refused(breakers, model):
    with pytest.raises(NotAskedError, match="branch_intent has died"):
        breakers.call(*INTENT, model)
    _wait_for_trials()


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


def test_after_a_death_calls_are_refused_without_being_made(breakers, model, metrics):
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


def test_a_model_that_is_back_is_asked_again_after_the_pause(breakers, model, metrics, clock):
    _die(breakers, model)
    model.error = None
    clock.now += 0.3

    _refused(breakers, model)  # nobody waits for the trial

    assert model.calls == 2
    assert breakers.call(*INTENT, model) == "answer"
    assert metrics.open == {INTENT: False}


def test_the_trial_of_a_dead_model_keeps_no_caller_waiting_and_there_is_one_at_a_time(breakers, model, clock):
    _die(breakers, model)
    clock.now += 10
    released = threading.Event()
    tried = []

    def slow():
        tried.append(1)
        assert released.wait(PATIENCE)
        raise DeadError("dead")

    for _ in range(5):
        with pytest.raises(NotAskedError):
            breakers.call(*INTENT, slow)
    released.set()
    _wait_for_trials()

    assert len(tried) == 1


def test_pauses_grow_up_to_some_seconds(breakers, model, clock):
    _die(breakers, model)
    tries = []
    for _ in range(400):  # 40 s
        clock.now += 0.1
        before = model.calls
        _refused(breakers, model)
        if model.calls > before:
            tries.append(clock.now)

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert 3 <= pauses[-1] < 3.3


def test_a_model_that_is_being_loaded_is_tried_again_soon(breakers, model, clock):
    _die(breakers, model)
    model.error = NotLoadedError("is not ready")
    for _ in range(20):
        clock.now += 0.3
        _refused(breakers, model)

    assert model.calls == 21


def test_a_model_that_answers_with_an_error_is_back(breakers, model, clock):
    _die(breakers, model)
    model.error = RuntimeError("bad input")
    clock.now += 1
    _refused(breakers, model)
    model.error = None

    assert breakers.call(*INTENT, model) == "answer"


def test_a_version_that_nobody_asks_any_more_is_forgotten(breakers, model, metrics):
    _die(breakers, model)

    breakers.keep([("branch_intent", 4)])

    assert metrics.open == {INTENT: False}
