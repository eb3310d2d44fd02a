"""What the HTTP server does before a request is known: bounds on connections, headers, chunks and time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from build_tools.serving.gate import http_server
from build_tools.serving.gate.http_server import HttpServer
from build_tools.serving.gate.settings import Limits
from build_tools.serving.triton.ports import choose_ports

LIMITS = Limits(header=1000, connections=2)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


async def _app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answers with the size of the body, or with 64 MB."""
    size = 0
    while (event := await receive())["type"] == "http.request":
        size += len(event["body"])
        if not event["more_body"]:
            break
    body = bytes(64 * 2**20) if scope["path"] == "/large" else str(size).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


def _run(test: Callable[[int], Awaitable[None]]) -> None:
    async def served() -> None:
        port = choose_ports("127.0.0.1", {"http": None})["http"]
        server = HttpServer(_app, "127.0.0.1", port, LIMITS)
        await server.start()
        try:
            async with asyncio.timeout(20):
                await test(port)
        finally:
            await server.stop(1)

    asyncio.run(served())


async def _status(port: int, data: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GET, 200),
        (GET + GET, 200),
        (CHUNKED + b"1\r\na\r\n" * 100 + b"0\r\n\r\n", 200),
        (CHUNKED + b"1\r\na\r\n" * 20_001, 413),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 1000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 400, 431),
        (b"POST / HTTP/1.1\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000, 200),
        (b"no HTTP\r\n\r\n", 400),
    ],
)
def test_bounds_of_one_request(data: bytes, status: int) -> None:
    async def test(port: int) -> None:
        assert await _status(port, data) == status

    _run(test)


def test_connections_beyond_the_bound_are_refused_and_the_others_served() -> None:
    async def test(port: int) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert await _status(port, GET) == 503
        idle[0][1].write(GET)
        assert (await idle[0][0].readline()).split()[1] == b"200"
        idle[1][1].close()
        await asyncio.sleep(0.05)
        assert await _status(port, GET) == 200
        idle[0][1].close()

    _run(test)


def test_headers_that_do_not_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_HEADER_SECONDS", 0.1)

    async def test(port: int) -> None:
        assert await _status(port, GET[:-2]) == 408
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        assert (await reader.readline()).split()[1] == b"200"
        await asyncio.sleep(0.3)  # an idle connection is kept
        writer.write(GET)
        assert b"200" in await reader.readuntil(b"HTTP/1.1 200")
        writer.close()

    _run(test)


def test_an_answer_that_is_not_read_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_WRITE_SECONDS", 0.2)

    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(GET.replace(b"/ ", b"/large "))
        await asyncio.sleep(1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(64 * 2**20)
        writer.close()

    _run(test)
