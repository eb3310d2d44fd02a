"""Both clients on a transport that answers by itself."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from clients import AsyncClient, Client, RequestRejected, async_client, client
from clients.request import Request


def _row(text: str) -> str:
    return json.dumps({"tasks": {"echo": {"label": text}}})


class _Echo:
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def infer(self, request: Request) -> list[str]:
        self.sizes.append(len(request))
        return [_row(text) for text in request.texts]

    def stream(self, request: Request) -> Iterator[list[str]]:
        self.sizes.append(len(request))
        yield from ([_row(text)] for text in request.texts[0].split())

    def close(self) -> None:
        self.sizes.append(-1)


class _AsyncEcho(_Echo):
    async def infer(self, request: Request) -> list[str]:  # type: ignore[override]
        return super().infer(request)

    async def stream(self, request: Request) -> AsyncGenerator[list[str], None]:  # type: ignore[override]
        for rows in super().stream(request):
            yield rows

    async def close(self) -> None:  # type: ignore[override]
        super().close()


def test_a_long_list_goes_in_several_requests_and_comes_back_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    echo = _Echo()
    monkeypatch.setattr(client, "open_transport", lambda *_: echo)
    texts = [f"t{i}" for i in range(70)]
    with Client() as asked:
        assert [row["echo"].label for row in asked.predict_batch(texts)] == texts
        assert asked.predict("one")["echo"].label == "one"
        assert [answer.label for _, answer in asked.stream("x y")] == ["x", "y"]
    assert echo.sizes == [64, 6, 1, 1, -1]


def test_asyncio_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = _AsyncEcho()
    monkeypatch.setattr(async_client, "open_async_transport", lambda *_: echo)
    texts = [f"t{i}" for i in range(70)]

    async def ask() -> None:
        async with AsyncClient() as asked:
            assert [row["echo"].label for row in await asked.predict_batch(texts)] == texts
            assert (await asked.predict("one"))["echo"].label == "one"
            assert [answer.label async for _, answer in asked.stream("x y")] == ["x", "y"]

    asyncio.run(ask())
    assert echo.sizes == [64, 6, 1, 1, -1]


def test_a_wrong_stream_is_refused_at_the_call_not_at_the_first_answer() -> None:
    with pytest.raises(RequestRejected, match="text is empty"):
        Client().stream("")
    with pytest.raises(RequestRejected, match="text is empty"):
        AsyncClient().stream("")


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), "30", None, True])
def test_a_timeout_that_is_no_deadline_is_refused(timeout: Any) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(RequestRejected, match="timeout must be a positive number of seconds"):
            kind(timeout=timeout)


def test_asking_loads_neither_torch_nor_the_training_and_build_side() -> None:
    program = (
        "import sys, clients, clients.cli, clients.grpc_transport, clients.http_transport\n"
        "print({'torch', 'transformers', 'training', 'build_tools'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_closed_client_says_so_on_both_protocols(url: str) -> None:
    for close_twice in (False, True):
        closed = Client(url, timeout=1)
        for _ in range(1 + close_twice):
            closed.close()
        for ask in (lambda one=closed: one.predict("a"), lambda one=closed: list(one.stream("a"))):
            with pytest.raises(RequestRejected, match="this client is closed: make a new one"):
                ask()

    async def ask_closed() -> None:
        closed = AsyncClient(url, timeout=1)
        await closed.close()
        with pytest.raises(RequestRejected, match="this client is closed: make a new one"):
            await closed.predict("a")
        with pytest.raises(RequestRejected, match="this client is closed: make a new one"):
            [one async for one in closed.stream("a")]

    asyncio.run(ask_closed())
