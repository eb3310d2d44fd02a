"""The asyncio client."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from clients.address import parse_address
from clients.answer import Answer, read_row, read_rows
from clients.request import Request, single_request, split_requests
from clients.terms import Terms
from clients.transport import AsyncTransport, open_async_transport


class AsyncClient:
    """Client for asyncio: the arguments, answers and errors of Client, with await and async for.

    It can be made anywhere, and belongs to the event loop of its first request.
    """

    def __init__(self, url: str = "localhost:8001", timeout: float = 30.0, bulk: bool = False) -> None:
        self._address = parse_address(url)
        self._terms = Terms(timeout, bulk)
        self._transport: AsyncTransport | None = None

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
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _opened(self) -> AsyncTransport:
        if self._transport is None:
            self._transport = open_async_transport(self._address, self._terms)
        return self._transport

    async def _ask(self, request: Request) -> list[dict[str, Answer]]:
        return read_rows(await self._opened().infer(request), len(request))

    async def _stream(self, request: Request) -> AsyncGenerator[tuple[str, Answer], None]:
        async with aclosing(self._opened().stream(request)) as events:
            async for rows in events:
                for row in rows:
                    for task, answer in read_row(row).items():
                        yield task, answer
