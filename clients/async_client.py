"""The asyncio client."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Self

from clients import failure
from clients.address import parse_addresses
from clients.answer import Answer, read_row, read_rows
from clients.attempts import Attempts
from clients.credentials import Credentials, File
from clients.errors import ServerUnavailable
from clients.request import Request, single_request, split_requests
from clients.resolution import look_up_seconds, resolve_in_loop
from clients.servers import Server, Servers
from clients.terms import Terms, checked_retries
from clients.tracing import traced
from clients.transport import AsyncTransport, load_transport, open_async_transport


class AsyncClient:
    """Client for asyncio: the arguments, answers and errors of Client, with await and async for.

    It can be made anywhere, and belongs to the event loop of its first request.
    """

    def __init__(
        self,
        url: str | Sequence[str] = "localhost:8001",
        timeout: float = 30.0,
        bulk: bool = False,
        *,
        key: str | None = None,
        ca: File | None = None,
        cert: tuple[File, File] | None = None,
        retries: int | None = None,
    ) -> None:
        addresses, terms = parse_addresses(url), Terms(timeout, bulk, Credentials.of(key, ca, cert))
        for address in addresses:
            terms.credentials.check_for(address)
        load_transport(addresses[0])
        self._timeout, self._retries = terms.timeout, checked_retries(retries)
        self._servers = Servers[AsyncTransport](
            addresses,
            lambda address: open_async_transport(address, terms.among(len(self._servers))),
            self._close_soon,
        )
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None  # process and event loop of the first request
        self._closing: set[asyncio.Task[None]] = set()

    async def predict(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> dict[str, Answer]:
        """Returns {task: answer} for one text; see Client.predict."""
        return (await self._ask(single_request(text, pair, tasks, all_scores)))[0]

    async def predict_batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None] | None = None,
        tasks: Sequence[str] | None = None,
        all_scores: bool = False,
    ) -> list[dict[str, Answer]]:
        """Returns the answers for many texts, in order; see Client.predict_batch."""
        requests = split_requests(texts, pairs, tasks, all_scores)
        return [answers for request in requests for answers in await self._ask(request)]

    def stream(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> AsyncGenerator[tuple[str, Answer], None]:
        """Yields (task, answer) as soon as each task is done; see Client.stream.

        To leave the loop early, wrap it in contextlib.aclosing, which cancels the rest at once.
        """
        return self._stream(single_request(text, pair, tasks, all_scores))

    async def close(self) -> None:
        """Closes the connections."""
        self._servers.close()
        await asyncio.gather(*self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, request: Request) -> list[dict[str, Answer]]:
        with traced("predict", request) as sent:
            attempts = await self._attempts()
            while True:
                server = await self._next_server(attempts)
                try:
                    with self._servers.connected(server) as transport:
                        rows = await transport.infer(replace(sent, seconds=attempts.seconds_left))
                        return read_rows(rows, len(sent))
                except ServerUnavailable as error:
                    pause = attempts.again_after(server, error)
                await asyncio.sleep(pause)

    async def _stream(self, request: Request) -> AsyncGenerator[tuple[str, Answer], None]:
        with traced("stream", request) as sent:
            attempts = await self._attempts()
            has_begun = False
            while True:
                server = await self._next_server(attempts)
                try:
                    with self._servers.connected(server) as transport:
                        remaining = replace(sent, seconds=attempts.seconds_left)
                        async with aclosing(transport.stream(remaining)) as events:
                            async for rows in events:
                                has_begun = True
                                for row in rows:
                                    for task, answer in read_row(row).items():
                                        yield task, answer
                    return
                except ServerUnavailable as error:
                    pause = attempts.again_after(server, error, has_begun)
                await asyncio.sleep(pause)

    async def _attempts(self) -> Attempts[AsyncTransport]:
        """Raises RequestRejected in another event loop than that of the first request."""
        here = (os.getpid(), asyncio.get_running_loop())
        if self._home is None or self._home[0] != here[0]:
            self._home = here
        elif self._home != here:
            raise failure.other_event_loop()
        attempts = Attempts(self._servers, self._timeout, self._retries)
        if self._servers.must_look_up() and (
            found := await resolve_in_loop(self._servers.given, look_up_seconds(self._timeout))
        ):
            self._servers.replace(found)
        return attempts

    async def _next_server(self, attempts: Attempts[AsyncTransport]) -> Server[AsyncTransport]:
        """The server to ask. One that was left out is first asked whether it is ready."""
        while True:
            server, must_prove = attempts.pick()
            if not must_prove:
                return server
            with server.transport.use() as transport:
                is_ready = await transport.is_ready()
            self._servers.proved(server, is_ready)
            if is_ready:
                return server

    def _close_soon(self, transport: AsyncTransport) -> None:
        task = asyncio.get_running_loop().create_task(transport.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
