"""The blocking client."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from clients.address import parse_address
from clients.answer import Answer, read_row, read_rows
from clients.request import Request, single_request, split_requests
from clients.terms import Terms
from clients.transport import open_transport


class Client:
    """Asks the router of one server; safe to share between threads.

    url        host[:port] or grpc://host[:port] for gRPC, http://host[:port] for HTTP
    timeout    seconds that one request may take (over HTTP: that each wait for the server may take); a list that is
               split takes that long for each part
    bulk       requests wait while others do (a nightly job beside people who wait); streams over HTTP do not

    Every method raises RequestRejected when the request is wrong, ServerUnavailable when there is no answer
    now, ServerFailed when the server broke on the request. A single task that could not answer is no
    exception: its Answer carries `error`.
    """

    def __init__(self, url: str = "localhost:8001", timeout: float = 30.0, bulk: bool = False) -> None:
        self._transport = open_transport(parse_address(url), Terms(timeout, bulk))

    def predict(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> dict[str, Answer]:
        """Answers by task name for one text, and a second one for pair tasks.

        tasks         names of the tasks to ask; None asks all that the server has
        all_scores    also return the scores of all classes
        """
        return self._ask(single_request(text, pair, tasks, all_scores))[0]

    def predict_batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None] | None = None,
        tasks: Sequence[str] | None = None,
        all_scores: bool = False,
    ) -> list[dict[str, Answer]]:
        """The same for many texts, in their order; a long list goes in several requests, one after another.

        pairs    one per text, None for a text that has none
        """
        requests = split_requests(texts, pairs, tasks, all_scores)
        return [answers for request in requests for answers in self._ask(request)]

    def stream(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> Iterator[tuple[str, Answer]]:
        """Yields (task, answer) as soon as each task is done.

        The request is checked at once and sent at the first next(). Leaving the loop early cancels the rest.
        """
        return self._stream(single_request(text, pair, tasks, all_scores))

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> list[dict[str, Answer]]:
        return read_rows(self._transport.infer(request), len(request))

    def _stream(self, request: Request) -> Iterator[tuple[str, Answer]]:
        for rows in self._transport.stream(request):
            for row in rows:
                yield from read_row(row).items()
