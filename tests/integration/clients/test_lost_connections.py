"""A lost connection costs the request that meets it, and no more."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from breakable_proxy import BreakableProxy

from clients import AsyncClient, Client, ServerUnavailable

PROTOCOLS = ("grpc", "http")


def _through(proxy: BreakableProxy, protocol: str) -> str:
    return f"http://127.0.0.1:{proxy.port}" if protocol == "http" else f"127.0.0.1:{proxy.port}"


@pytest.fixture(params=PROTOCOLS)
def proxied(request: pytest.FixtureRequest, addresses: dict[str, str]) -> tuple[BreakableProxy, str]:
    """A proxy before the server, and the address through it."""
    proxy = BreakableProxy(addresses[request.param])
    return proxy, _through(proxy, request.param)


def _lost(ask: Callable[[], object], requests: int = 4) -> int:
    lost = 0
    for _ in range(requests):
        try:
            ask()
        except ServerUnavailable:
            lost += 1
    return lost


def test_connections_lost_in_silence_cost_one_timeout(proxied: tuple[BreakableProxy, str]) -> None:
    proxy, address = proxied
    with Client(address, timeout=3.0) as client:
        with ThreadPoolExecutor(6) as pool:  # over HTTP six connections, all of which will be lost
            list(pool.map(lambda number: client.predict(f"ok {number}"), range(24)))
        proxy.lose_connections()
        assert _lost(lambda: client.predict("ok again")) == 1


def test_a_stream_on_a_lost_connection_costs_one_timeout(proxied: tuple[BreakableProxy, str]) -> None:
    proxy, address = proxied
    with Client(address, timeout=3.0) as client:
        client.predict("ok a")
        proxy.lose_connections()
        assert _lost(lambda: list(client.stream("ok again"))) == 1


def test_asyncio_loses_one_request_too(proxied: tuple[BreakableProxy, str]) -> None:
    proxy, address = proxied

    async def lost() -> int:
        async with AsyncClient(address, timeout=3.0) as client:
            await asyncio.gather(*(client.predict(f"ok {number}") for number in range(6)))
            proxy.lose_connections()
            return await _lost_of(lambda: client.predict("ok again"))

    assert asyncio.run(lost()) == 1


async def _lost_of(ask: Callable[[], Awaitable[object]], requests: int = 4) -> int:
    lost = 0
    for _ in range(requests):
        try:
            await ask()
        except ServerUnavailable:
            lost += 1
    return lost


def test_other_requests_in_flight_survive_a_new_connection(proxied: tuple[BreakableProxy, str]) -> None:
    _, address = proxied
    with Client(address, timeout=3.0) as client, ThreadPoolExecutor(2) as pool:
        late = pool.submit(client.predict, "late a")
        time.sleep(2.5)  # so the stream's own timeout comes that much after the late one's
        stream = client.stream("many b")
        first = next(stream)
        with pytest.raises(ServerUnavailable, match="did not answer within"):
            late.result()
        assert [first[1].label, *(answer.label for _, answer in stream)] == ["b"] * 4


def test_a_server_that_is_back_is_found_within_a_second(proxied: tuple[BreakableProxy, str]) -> None:
    proxy, address = proxied
    with Client(address, timeout=5) as client:
        client.predict("ok a")
        # gRPC's pauses are 1 s, +-20 %. Where this machine pauses too, it is measured again.
        assert any(_seconds_until_found(proxy, client) < 1.5 for _ in range(3))


def _seconds_until_found(proxy: BreakableProxy, client: Client) -> float:
    """After the server was away."""
    proxy.go_down()
    down = time.monotonic()
    while time.monotonic() < down + 4:  # long enough for gRPC's pauses to grow
        with pytest.raises(ServerUnavailable):
            client.predict("ok b")
        time.sleep(0.1)
    proxy.come_back()
    back = time.monotonic()
    while True:
        try:
            client.predict("ok c")
            return time.monotonic() - back
        except ServerUnavailable:
            assert time.monotonic() < back + 20
            time.sleep(0.05)
