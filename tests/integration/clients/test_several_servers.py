"""Both clients over both protocols, with several servers that come and go."""

import asyncio
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from child_process import child_process
from replica import Replica

from clients import AsyncClient, Client, ServerUnavailable, servers
from clients.errors import Broken

PROTOCOLS = ("grpc", "http")
FORMS = ("blocking", "asyncio stream")  # blocking streams and lone questions with asyncio: where servers restart, below
HAPROXY = shutil.which("haproxy")

pytestmark = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture
def fleet(protocol: str) -> Iterator[list[Replica]]:
    """Three servers."""
    replicas = [Replica(protocol) for _ in range(3)]
    yield replicas
    for replica in replicas:
        replica.kill()


class Caller:
    """A client of any form, which asks once and returns the name of the server that answered."""

    def __init__(self, form: str, url: Any, stack: ExitStack, **options: Any) -> None:
        self._is_stream = "stream" in form
        self._loop: asyncio.AbstractEventLoop | None = None
        if "asyncio" in form:
            runner = stack.enter_context(asyncio.Runner())
            self._loop = runner.get_loop()
            self._async_client = AsyncClient(url, **options)
            stack.callback(lambda: runner.run(self._async_client.close()))
        else:
            self._client = stack.enter_context(Client(url, **options))

    def ask(self) -> str:
        if self._loop is not None:
            return self._loop.run_until_complete(self._ask())
        if self._is_stream:
            ((_, answer),) = self._client.stream("a")
        else:
            answer = self._client.predict("a")["echo"]
        return str(answer.label)

    async def _ask(self) -> str:
        if self._is_stream:
            ((_, answer),) = [one async for one in self._async_client.stream("a")]
        else:
            answer = (await self._async_client.predict("a"))["echo"]
        return str(answer.label)


@pytest.fixture(params=FORMS)
def caller(request: pytest.FixtureRequest) -> Iterator[Callable[..., Caller]]:
    with ExitStack() as stack:
        yield lambda url, **options: Caller(request.param, url, stack, **options)


def _urls(fleet: list[Replica]) -> list[str]:
    return [replica.url for replica in fleet]


def test_requests_go_to_all_by_turns(fleet: list[Replica], caller: Callable[..., Caller]) -> None:
    one = caller(",".join(_urls(fleet)))
    counts = Counter(one.ask() for _ in range(12))
    assert sorted(counts.values()) == [4, 4, 4]


def test_a_server_that_stops_costs_no_answer_and_is_asked_again_when_it_is_back(
    fleet: list[Replica], caller: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_OUT_SECONDS", (0.2, 0.4))
    one = caller(_urls(fleet))
    for _ in range(6):
        one.ask()
    fleet[0].stop()
    assert {one.ask() for _ in range(12)} <= {f"127.0.0.1:{replica.port}" for replica in fleet[1:]}
    asked = fleet[0].asked
    fleet[0].start()
    _until(lambda: one.ask() and fleet[0].asked > asked)


def test_a_server_that_is_not_ready_is_left_out_until_it_says_that_it_is(
    fleet: list[Replica], caller: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_OUT_SECONDS", (0.1, 0.1))
    fleet[1].mode = "not ready"
    one = caller(_urls(fleet))
    _until(lambda: one.ask() and fleet[1].proofs > 1)
    assert fleet[1].asked == 1  # the request that it refused; then it was only asked whether it is ready
    fleet[1].mode = "ok"
    _until(lambda: one.ask() == f"127.0.0.1:{fleet[1].port}")


def test_a_full_server_is_passed_over_and_not_left_out(fleet: list[Replica], caller: Callable[..., Caller]) -> None:
    fleet[1].mode = "full"
    one = caller(_urls(fleet))
    for _ in range(9):
        one.ask()
    assert fleet[1].asked > 1
    assert fleet[1].proofs == 0


def test_what_a_server_had_begun_on_is_not_sent_to_another(fleet: list[Replica], caller: Callable[..., Caller]) -> None:
    for replica in fleet:
        replica.mode = "break"
    one = caller(_urls(fleet))
    with pytest.raises(ServerUnavailable):
        one.ask()
    assert sum(replica.asked for replica in fleet) == 1


def test_a_server_that_takes_connections_and_never_answers_costs_one_timeout(
    protocol: str, fleet: list[Replica], caller: Callable[..., Caller]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        one = caller([f"{'http://' if protocol == 'http' else ''}127.0.0.1:{port}", *_urls(fleet)], timeout=3.0)
        failed = 0
        for _ in range(12):
            try:
                one.ask()
            except ServerUnavailable:
                failed += 1
        assert failed <= 1


def test_where_all_refuse_the_error_is_the_servers_and_comes_soon(
    fleet: list[Replica], caller: Callable[..., Caller]
) -> None:
    for replica in fleet:
        replica.mode = "not ready"
    one = caller(_urls(fleet))
    with pytest.raises(ServerUnavailable, match="trunk is loading"):
        one.ask()
    assert sum(replica.asked for replica in fleet) == 4


def test_a_fleet_that_is_restarted_one_by_one_fails_no_request(fleet: list[Replica]) -> None:
    with Client(_urls(fleet), timeout=10) as client:
        _restart_one_by_one(fleet, client)


_BALANCER = """
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    option redispatch 1
    retries 2
    retry-on conn-failure empty-response
frontend clients
    bind 127.0.0.1:{port} {h2}
    default_backend replicas
backend replicas
    balance roundrobin
    default-server check inter 50ms {h2}
{servers}
"""


@pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy")
def test_a_load_balancer_before_the_fleet_hides_no_restart_from_a_client_with_retries(
    protocol: str, fleet: list[Replica], tmp_path: Path
) -> None:
    servers = "".join(f"    server s{one.port} 127.0.0.1:{one.port}\n" for one in fleet)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "haproxy.cfg"
    config.write_text(_BALANCER.format(port=port, h2="proto h2" if protocol == "grpc" else "", servers=servers))
    url = f"{'http://' if protocol == 'http' else ''}127.0.0.1:{port}"
    with child_process([str(HAPROXY), "-db", "-q", "-f", config]), Client(url, timeout=10, retries=4) as client:
        _until(lambda: _answers(client))
        _restart_one_by_one(fleet, client, may_break=2)  # HAProxy seldom closes a connection of which it has sent on
        for replica in fleet:
            replica.stop()
        with pytest.raises(ServerUnavailable):
            client.predict("a")


def _answers(client: Client) -> bool:
    try:
        return bool(client.predict("a"))
    except ServerUnavailable:
        return False


def _restart_one_by_one(fleet: list[Replica], client: Client, may_break: int = 0) -> None:
    """While eight threads ask: half of them lone texts, half streams. Raises what any of them meets.

    may_break: so many requests may end as Broken, which a client does not send again: a server may have begun on them.
    """
    ends = threading.Event()
    answered = [0] * 8
    broken: list[Broken] = []
    for replica in fleet:
        replica.seconds = 0.01
    with ThreadPoolExecutor(8) as pool:

        def ask(number: int) -> None:
            while not ends.is_set():
                try:
                    if number % 2:
                        client.predict("a")
                    else:
                        list(client.stream("a"))
                except Broken as error:
                    broken.append(error)
                answered[number] += 1

        callers = [pool.submit(ask, number) for number in range(8)]
        try:
            for replica in fleet:
                time.sleep(0.3)
                replica.stop()
                time.sleep(0.3)
                replica.start()
            _until(lambda: min(answered) > 10 or any(caller.done() for caller in callers))
        finally:
            ends.set()
        for caller in callers:
            caller.result()
    assert len(broken) <= may_break, broken


def test_asyncio_meets_the_same_restarts_without_a_failure(fleet: list[Replica]) -> None:
    answered = [0] * 8
    for replica in fleet:
        replica.seconds = 0.01

    async def ask(client: AsyncClient, number: int, ends: asyncio.Event) -> None:
        while not ends.is_set():
            if number % 2:
                await client.predict("a")
            else:
                [one async for one in client.stream("a")]
            answered[number] += 1

    async def restart() -> None:
        ends = asyncio.Event()
        async with AsyncClient(_urls(fleet), timeout=10) as client:
            callers = [asyncio.create_task(ask(client, number, ends)) for number in range(8)]
            for replica in fleet:
                await asyncio.sleep(0.3)
                await asyncio.to_thread(replica.stop)
                await asyncio.sleep(0.3)
                replica.start()
            async with asyncio.timeout(30):
                while min(answered) <= 10 and not any(caller.done() for caller in callers):
                    await asyncio.sleep(0.01)
            ends.set()
            await asyncio.gather(*callers)

    asyncio.run(restart())


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_name_with_several_addresses_is_several_servers(
    protocol: str, secure: bool, caller: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = authority.issue_cert("fleet.test") if secure else None
    replicas = [Replica(protocol, "127.0.0.1", tls=tls)]
    replicas += [Replica(protocol, host, replicas[0].port, tls) for host in ("127.0.0.2", "127.0.0.3")]
    known = ["127.0.0.1", "127.0.0.2"]
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        if host != "fleet.test":
            return real(host, port, *rest, **options)
        if not known:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(servers, "_LOOK_UP_SECONDS", 0.1)
    scheme = {("grpc", False): "grpc", ("grpc", True): "grpcs", ("http", False): "http", ("http", True): "https"}
    options = {"ca": tmp_path / "ca.pem"} if secure else {}
    try:
        one = caller(f"{scheme[protocol, secure]}://fleet.test:{replicas[0].port}", **options)
        assert {one.ask().partition(":")[0] for _ in range(4)} == {"127.0.0.1", "127.0.0.2"}
        known.append("127.0.0.3")  # a replica more
        _until(lambda: one.ask().startswith("127.0.0.3"))
        known.remove("127.0.0.1")  # and one less
        _until(lambda: {one.ask().partition(":")[0] for _ in range(4)} == {"127.0.0.2", "127.0.0.3"})
        known.clear()  # and a name server that does not answer
        time.sleep(0.15)
        assert {one.ask().partition(":")[0] for _ in range(4)} == {"127.0.0.2", "127.0.0.3"}
    finally:
        for replica in replicas:
            replica.kill()


def _until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
