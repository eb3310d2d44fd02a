import asyncio
import socket
from typing import Any

import pytest

from clients.address import Address, parse_addresses
from clients.resolution import has_name, resolve, resolve_in_loop

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
    found = resolve(addresses)
    assert asyncio.run(resolve_in_loop(addresses)) == found
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
    assert resolve(addresses) is None
    assert asyncio.run(resolve_in_loop(addresses)) is None


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
