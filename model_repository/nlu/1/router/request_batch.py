"""All requests of one batch -> the rows of those that can be read, and a response to each of the others."""

from collections.abc import Sequence
from typing import Any

from text_tokenizer import RefusedRequestError

from router.caller import Caller, GoneError
from router.registry import Registry
from router.request_rows import read_rows
from router.response import gone_response, refusal_response
from router.row import Row


class RequestBatch:
    """What the requests that Triton hands over together ask for.

    rows: of all requests that can be read, one after another. spans: {request: the numbers of its rows}.
    refused: {request: its response} for the others.
    """

    def __init__(self, requests: Sequence[Any], registry: Registry) -> None:
        self.rows: list[Row] = []
        self.spans: dict[int, range] = {}
        self.refused: dict[int, Any] = {}
        self._callers: dict[int, Caller] = {}
        for index, request in enumerate(requests):
            caller = Caller(request)
            try:
                caller.check()
                rows = read_rows(request, registry, caller)
            except RefusedRequestError as error:
                self.refused[index] = refusal_response(error)
            except GoneError as error:
                self.refused[index] = gone_response(error)
            else:
                self._callers[index] = caller
                self.spans[index] = range(len(self.rows), len(self.rows) + len(rows))
                self.rows += rows

    def settle(self, index: int) -> None:
        """Call this before the last response to a request is sent while others of the batch still wait."""
        self._callers[index].settle()

    def gone(self, index: int) -> Any | None:
        """Returns the response to a request that was cancelled or is too late, or None if its caller still waits."""
        try:
            self._callers[index].check()
        except GoneError as error:
            return gone_response(error)
        return None
