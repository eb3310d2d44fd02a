import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clients import client, resolution
from clients.address import Address, parse_addresses
from clients.request import Request
from clients.resolution import has_name, look_up_seconds, resolve, resolve_in_loop

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[int, str]]]:
    """Family and address of what each name means; others are not known."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    known: dict[str, list[tuple[int, str]]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(family, socket.SOCK_STREAM, 6, "", (ip, port)) for family, ip in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: look_up(host, port))
    return known


def _both(url: str) -> list[Address]:
    addresses = parse_addresses(url)
    found = resolve(addresses, 1.0)
    assert asyncio.run(resolve_in_loop(addresses, 1.0)) == found
    assert found is not None
    return found


def test_each_address_of_a_name_is_a_server_that_keeps_the_name(names: dict[str, list[tuple[int, str]]]) -> None:
    names["fleet"] = [(V4, "10.0.0.2"), (V4, "10.0.0.1"), (V4, "10.0.0.2")]
    names["other"] = [(V4, "10.0.0.3")]
    found = _both("grpcs://fleet:9,other")
    assert [(one.host, one.port, one.ip) for one in found] == [
        ("fleet", 9, "10.0.0.1"),
        ("fleet", 9, "10.0.0.2"),
        ("other", 8001, None),
    ]


def test_a_name_that_is_not_known_now_leaves_the_servers_as_they_are(names: dict[str, list[tuple[int, str]]]) -> None:
    names["fleet"] = [(V4, "10.0.0.1"), (V4, "10.0.0.2")]
    addresses = parse_addresses("fleet,other")
    assert resolve(addresses, 1.0) is None
    assert asyncio.run(resolve_in_loop(addresses, 1.0)) is None


def test_a_server_with_addresses_of_both_families_counts_once(names: dict[str, list[tuple[int, str]]]) -> None:
    names["one"] = [(V6, "fd00::1"), (V4, "10.0.0.1")]
    names["two"] = [(V6, "fd00::1"), (V4, "10.0.0.1"), (V6, "fd00::2")]
    assert [one.ip for one in _both("one")] == [None]
    assert [one.ip for one in _both("two")] == ["fd00::1", "fd00::2"]


@pytest.mark.parametrize("url", ["127.0.0.1:1", "[::1]:1", "localhost", "http://10.0.0.1"])
def test_what_is_no_name_of_another_machine_is_not_looked_up(url: str) -> None:
    assert not any(map(has_name, parse_addresses(url)))


def test_a_name_that_a_proxy_looks_up_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://p:1")
    assert not has_name(parse_addresses("http://fleet")[0])


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that says nothing until this is set."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    ends = threading.Event()

    def look_up(*_: Any, **__: Any) -> list[Any]:
        ends.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "silent")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield ends
    ends.set()
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join(10)


def test_a_silent_name_server_is_not_waited_for_longer_than_is_said(silence: threading.Event) -> None:
    addresses = parse_addresses("fleet")
    began = time.monotonic()
    assert resolve(addresses, 0.01) is None

    async def ask() -> list[Address] | None:
        found = await resolve_in_loop(addresses, 0.01)
        silence.set()  # the loop ends with the threads that it has begun
        return found

    assert asyncio.run(ask()) is None
    assert time.monotonic() - began < 10


def test_while_a_name_server_is_silent_all_wait_for_one_look_up(silence: threading.Event) -> None:
    addresses = parse_addresses("fleet")
    before = threading.active_count()
    for _ in range(20):
        assert resolve(addresses, 0.001) is None
    assert threading.active_count() <= before + 1
    (waiting,) = (one for one in threading.enumerate() if one.name == "look-up")
    silence.set()
    waiting.join(10)
    assert resolution._asked == {}


@pytest.mark.usefixtures("silence")
def test_a_request_goes_to_the_servers_that_are_known_with_what_the_look_up_has_left_of_its_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Request] = []

    class Echo:
        def infer(self, request: Request) -> list[str]:
            asked.append(request)
            return ['{"tasks": {}}']

        def close(self) -> None:
            pass

    monkeypatch.setattr(client, "open_transport", lambda *_: Echo())
    with client.Client("grpc://fleet", timeout=0.4) as one:
        assert one.predict("a") == {}
    assert asked[0].seconds is not None
    assert asked[0].seconds <= 0.2


def test_a_look_up_leaves_time_for_the_servers_that_are_known_already() -> None:
    assert (look_up_seconds(0.5), look_up_seconds(30.0)) == (0.25, 2.0)
