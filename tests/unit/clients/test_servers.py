import os
from collections import Counter

import pytest

from clients import servers as module
from clients.address import parse_addresses
from clients.attempts import Attempts
from clients.errors import Broken, Busy, DeadlinePassed, NotTaken, ServerUnavailable
from clients.servers import Server, Servers

URLS = ("a:1", "b:1", "c:1")
FORGETS = (NotTaken, Broken, DeadlinePassed)


class Clock:
    """Time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def _servers(*urls: str) -> Servers[str]:
    return Servers(parse_addresses(urls or URLS), lambda address: address.url, lambda _: None)


def _picked(servers: Servers[str], times: int = 6) -> Counter[str]:
    return Counter(servers.pick(())[0].address.url for _ in range(times))


def _find(servers: Servers[str], url: str) -> Server[str]:
    return next(one for one, _ in (servers.pick(()) for _ in range(9)) if one.address.url == url)


@pytest.mark.parametrize("kind", FORGETS)
def test_a_server_that_fails_is_left_out_and_then_asked_by_one_caller_whether_it_is_ready(
    kind: type[ServerUnavailable], clock: Clock
) -> None:
    servers = _servers()
    failing = _find(servers, "b:1")
    servers.failed(failing, kind("gone"))
    assert set(_picked(servers)) == {"a:1", "c:1"}
    clock.now += 1.1
    proofs = [must_prove for server, must_prove in (servers.pick(()) for _ in range(6)) if server is failing]
    assert proofs == [True]
    servers.proved(failing, ready=True)
    assert set(_picked(servers)) == set(URLS)


@pytest.mark.parametrize("kind", [Busy, ServerUnavailable])
def test_a_server_that_is_well_is_not_left_out(kind: type[ServerUnavailable]) -> None:
    servers = _servers()
    servers.failed(_find(servers, "b:1"), kind("full"))
    assert _picked(servers) == dict.fromkeys(URLS, 2)


def test_many_requests_that_meet_one_failure_count_as_one_and_pauses_grow_up_to_five_seconds(clock: Clock) -> None:
    servers = _servers()
    failing = _find(servers, "b:1")
    for _ in range(50):
        servers.failed(failing, NotTaken("gone"))
    assert 0.5 <= failing.out_until - clock.now <= 1.0
    for _ in range(20):
        clock.now = failing.out_until
        servers.failed(failing, NotTaken("gone"))
    assert 2.5 <= failing.out_until - clock.now <= 5.0


def test_clients_that_lost_a_server_together_do_not_come_back_together(clock: Clock) -> None:
    back = []
    for _ in range(200):
        servers = _servers()
        failing = _find(servers, "b:1")
        servers.failed(failing, NotTaken("gone"))
        back.append(round(failing.out_until - clock.now, 1))
    assert max(Counter(back).values()) < 80  # of 200 in a tenth of a second; evenly 40


def test_clients_do_not_all_begin_with_the_first_server() -> None:
    assert len({_servers().pick(())[0].address.url for _ in range(60)}) == 3


def test_where_all_are_left_out_the_one_that_is_back_first_is_asked() -> None:
    servers = _servers()
    every = {url: _find(servers, url) for url in URLS}
    for server in every.values():
        servers.failed(server, NotTaken("gone"))
    first = min(every.values(), key=lambda server: server.out_until)
    assert servers.pick(()) == (first, False)
    assert servers.pick([first])[0] is not first


def test_a_lone_server_is_always_asked_at_once() -> None:
    servers = _servers("a:1")
    (server, _) = servers.pick(())
    servers.failed(server, NotTaken("gone"))
    assert servers.pick([server]) == (server, False)


def test_servers_that_stay_keep_their_connections_and_others_are_closed_when_nobody_can_be_about_to_use_them() -> None:
    closed: list[str] = []
    servers = Servers[str](parse_addresses(URLS), lambda address: address.url, closed.append)
    kept = _find(servers, "a:1")
    for url in URLS:
        with _find(servers, url).transport.use():
            pass
    servers.replace(parse_addresses(("a:1", "d:1")))
    assert closed == []
    assert set(_picked(servers)) == {"a:1", "d:1"}
    assert _find(servers, "a:1") is kept
    servers.replace(parse_addresses(("a:1", "d:1")))
    assert sorted(closed) == ["b:1", "c:1"]


def test_names_that_were_looked_up_while_the_client_was_closed_open_nothing_more() -> None:
    servers = _servers()
    servers.close()
    servers.replace(parse_addresses(("d:1",)))
    assert set(_picked(servers)) == set(URLS)


def test_a_fork_while_another_thread_holds_the_lock_does_not_stop_the_child() -> None:
    servers = _servers()
    with servers._lock:
        child = os.fork()
        if child == 0:
            servers.pick(())
            servers.count_request()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def _attempts(servers: Servers[str], retries: int | None = None, error: type[ServerUnavailable] = NotTaken) -> int:
    """How often a request is sent that every server answers with this error."""
    attempts = Attempts(servers, 10.0, retries)
    sent = 0
    while True:
        server, _ = attempts.pick()
        sent += 1
        try:
            attempts.again_after(server, error("no"))
        except ServerUnavailable:
            return sent


@pytest.mark.parametrize(
    ("urls", "retries", "sent"), [(("a:1",), None, 1), (("a:1",), 2, 3), (URLS, None, 4), (URLS, 0, 1)]
)
def test_a_request_is_sent_again_as_often_as_asked_for(urls: tuple[str, ...], retries: int | None, sent: int) -> None:
    assert _attempts(_servers(*urls), retries) == sent


@pytest.mark.parametrize("error", [Broken, DeadlinePassed, ServerUnavailable])
def test_what_may_have_been_begun_on_is_sent_once(error: type[ServerUnavailable]) -> None:
    assert _attempts(_servers(), error=error) == 1


def test_a_stream_that_has_brought_an_answer_is_not_sent_again() -> None:
    attempts = Attempts(_servers(), 10.0, None)
    with pytest.raises(NotTaken):
        attempts.again_after(attempts.pick()[0], NotTaken("no"), has_begun=True)


def test_each_attempt_goes_to_another_server_while_there_is_one() -> None:
    attempts = Attempts(_servers(), 10.0, None)
    asked = []
    for _ in URLS:
        server, _ = attempts.pick()
        asked.append(server.address.url)
        attempts.again_after(server, Busy("full"))
    assert sorted(asked) == list(URLS)


def test_nothing_is_sent_again_after_the_timeout_and_what_is_has_the_rest_of_it(clock: Clock) -> None:
    attempts = Attempts(_servers(), 10.0, None)
    assert attempts.seconds_left == 10.0
    clock.now += 4
    attempts.again_after(attempts.pick()[0], NotTaken("no"))
    assert attempts.seconds_left == 6.0
    clock.now += 6
    with pytest.raises(NotTaken):
        attempts.again_after(attempts.pick()[0], NotTaken("no"))


def test_where_all_servers_refuse_for_long_retries_are_a_fifth_of_the_requests() -> None:
    servers = _servers()
    for _ in range(100):
        _attempts(servers)
    assert sum(_attempts(servers) for _ in range(500)) == pytest.approx(600, abs=2)
