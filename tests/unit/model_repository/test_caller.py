import threading
from types import SimpleNamespace

import pytest
from router import caller as caller_module
from router.caller import Caller, GoneError


class Request:
    """A Triton request that counts how often it was asked whether it is cancelled."""

    def __init__(self, microseconds=0):
        self.cancelled = False
        self.asked = 0
        self.given = ""
        self._microseconds = microseconds

    def timeout(self):
        return self._microseconds

    def request_id(self):
        return "mine-1"

    def parameters(self):
        return self.given

    def is_cancelled(self):
        self.asked += 1
        return self.cancelled


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, as the test sets it."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(caller_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def _reason(caller):
    with pytest.raises(GoneError) as caught:
        caller.check()
    return caught.value


def test_a_caller_waits_until_the_timeout_has_passed_and_no_longer(clock):
    caller = Caller(Request(microseconds=1_500_000))
    clock.now += 1.4
    caller.check()
    assert not caller.is_gone

    clock.now += 0.2

    assert caller.is_gone
    assert not _reason(caller).cancelled
    assert "timeout of 1.5 s" in str(_reason(caller))


def test_without_a_timeout_a_caller_waits_for_ever(clock):
    caller = Caller(Request())

    clock.now += 1e9

    assert not caller.is_gone


def test_a_cancelled_request_is_known_as_such(clock):
    request = Request(microseconds=1_000_000)
    caller = Caller(request)
    caller.check()

    request.cancelled = True
    clock.now += 0.03

    assert caller.is_gone
    assert _reason(caller).cancelled


def test_triton_is_asked_at_most_every_20_ms(clock):
    request = Request()
    caller = Caller(request)
    for _ in range(1000):
        clock.now += 0.0001
        caller.check()

    assert 4 <= request.asked <= 6


def test_once_cancelled_a_request_stays_so_though_triton_says_otherwise_later(clock):
    request = Request()
    request.cancelled = True
    caller = Caller(request)
    assert caller.is_gone

    request.cancelled = False
    clock.now += 1

    assert caller.is_gone


def test_no_two_threads_ask_triton_at_once(clock):
    request = Request()
    caller = Caller(request)
    others = []

    def slow():
        """Before the answer arrives, 20 ms pass, and another thread asks too."""
        clock.now += 0.03
        others.append(threading.Thread(target=lambda: caller.is_gone))
        others[0].start()
        others[0].join(0.1)
        assert others[0].is_alive()
        request.is_cancelled = lambda: True
        return False

    request.is_cancelled = slow
    caller.check()

    others[0].join(10)
    assert caller.is_gone


def test_triton_is_not_asked_about_a_request_that_is_settled(clock):
    request = Request(microseconds=1_000_000)
    caller = Caller(request)
    caller.check()

    caller.settle()
    clock.now += 0.5

    assert not caller.is_gone
    assert request.asked == 1


def test_a_request_is_not_settled_while_triton_is_asked_about_it():
    request = Request()
    caller = Caller(request)
    settling = threading.Thread(target=caller.settle)

    def slow():
        settling.start()
        settling.join(0.1)
        assert settling.is_alive()
        return False

    request.is_cancelled = slow
    caller.check()

    settling.join(10)
    assert not settling.is_alive()


@pytest.mark.parametrize(
    ("given", "is_traced"),
    [
        ("", False),
        ("{}", False),
        ('{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}', True),
        ('{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "priority": 1}', False),
        ('{"traceparent": "x"}', False),
        ('{"traceparent": "zz"}', False),
        ('{"traceparent": 1}', False),
    ],
)
def test_a_caller_is_traced_if_it_sends_a_sampled_context(given, is_traced):
    request = Request()
    request.given = given

    assert Caller(request).is_traced == is_traced


def test_a_caller_has_the_id_of_its_request():
    assert Caller(Request()).id == "mine-1"
