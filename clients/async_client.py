"""The asyncio client."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Self

from clients import failure
from clients.address import parse_address
from clients.answer import Answer, read_row, read_rows
from clients.credentials import Credentials, File
from clients.errors import SUSPECT_CONNECTION
from clients.renewable import Renewable
from clients.request import Request, single_request, split_requests
from clients.terms import Terms
from clients.tracing import traced
from clients.transport import AsyncTransport, load_transport, open_async_transport


class AsyncClient:
    """Client for asyncio: the arguments, answers and errors of Client, with await and async for.

    It can be made anywhere, and belongs to the event loop of its first request.
    """

    def __init__(
        self,
        url: str = "localhost:8001",
        timeout: float = 30.0,
        bulk: bool = False,
        *,
        key: str | None = None,
        ca: File | None = None,
        cert: tuple[File, File] | None = None,
    ) -> None:
        address, terms = parse_address(url), Terms(timeout, bulk, Credentials.of(key, ca, cert))
        terms.credentials.check_for(address)
        load_transport(address)
        self._transport = Renewable[AsyncTransport](lambda: open_async_transport(address, terms), self._close_soon)
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
        self._transport.close()
        await asyncio.gather(*self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, request: Request) -> list[dict[str, Answer]]:
        with self._transport_here() as transport, traced("predict", request) as sent:
            return read_rows(await transport.infer(sent), len(sent))

    async def _stream(self, request: Request) -> AsyncGenerator[tuple[str, Answer], None]:
        with self._transport_here() as transport, traced("stream", request) as sent:
            async with aclosing(transport.stream(sent)) as events:
                async for rows in events:
                    for row in rows:
                        for task, answer in read_row(row).items():
                            yield task, answer

    @contextmanager
    def _transport_here(self) -> Iterator[AsyncTransport]:
        """Yields the transport, and replaces it if its connection seems to be lost, or mixes up answers.

        Raises RequestRejected in another event loop than that of the first request.
        """
        here = (os.getpid(), asyncio.get_running_loop())
        if self._home is None or self._home[0] != here[0]:
            self._home = here
        elif self._home != here:
            raise failure.other_event_loop()
        with self._transport.use() as transport:
            try:
                yield transport
            except SUSPECT_CONNECTION:
                self._transport.renew(transport)
                raise

    def _close_soon(self, transport: AsyncTransport) -> None:
        task = asyncio.get_running_loop().create_task(transport.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
