"""Requests go through the proxy that the environment names, but never on the way to this machine."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from clients import AsyncClient, Client, ServerUnavailable

PROTOCOLS = ("grpc", "http")
HOST = "api.test"  # a name that nobody resolves: only the proxy knows where it is


class ForwardProxy:
    """An HTTP proxy that takes every request to one server: CONNECT for gRPC, whole urls for HTTP."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._ports = {protocol: int(address.rpartition(":")[2]) for protocol, address in addresses.items()}
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(65536)
            self.heads.append(head)
            is_tunnel = head.startswith(b"CONNECT ")
            far = socket.create_connection(("127.0.0.1", self._ports["grpc" if is_tunnel else "http"]))
            if is_tunnel:
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far.sendall(head)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)


@pytest.fixture
def proxy(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A proxy that the environment names."""
    proxy = ForwardProxy(addresses)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://me:secret@"))
    yield proxy
    proxy.close()


def _ask_both(address: str) -> list[str | None]:
    async def ask() -> str | None:
        async with AsyncClient(address, timeout=5) as client:
            return (await client.predict("ok async"))["echo"].label

    with Client(address, timeout=5) as client:
        labels = [client.predict("ok a")["echo"].label, *(answer.label for _, answer in client.stream("ok b"))]
    return [*labels, asyncio.run(ask())]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_hosts_are_asked_through_the_proxy(proxy: ForwardProxy, protocol: str) -> None:
    address = f"http://{HOST}:80" if protocol == "http" else f"{HOST}:8001"

    assert _ask_both(address) == ["a", "b", "async"]
    assert len(proxy.heads) == 2  # a connection of each client
    for head in proxy.heads:
        assert HOST.encode() in head.splitlines()[0]
        assert b"authorization: basic bwu6c2vjcmv0" in head.lower()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_this_machine_is_asked_directly(addresses: dict[str, str], proxy: ForwardProxy, protocol: str) -> None:
    assert _ask_both(addresses[protocol]) == ["a", "b", "async"]
    assert proxy.heads == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    address = f"http://{HOST}:80" if protocol == "http" else f"{HOST}:8001"

    with Client(address, timeout=3) as client, pytest.raises(ServerUnavailable) as caught:
        client.predict("ok a")

    assert "through the proxy http://127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
