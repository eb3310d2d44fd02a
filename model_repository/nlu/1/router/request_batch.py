"""The requests of one batch -> the rows of all of them."""

from collections.abc import Sequence
from typing import Any

from text_tokenizer import RefusedRequestError

from router.caller import Caller, GoneError
from router.registry import Registry
from router.request_rows import read_rows
from router.response import gone_response, refusal_response
from router.row import Row


class RequestBatch:
    """What the requests of a batch ask for.

    rows: those of all requests that can be read, one after the other.
    spans: {request: its rows' numbers}. refused: {request: response} for the others.
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
        """To be called before the last response to a request is sent, if others of the batch still wait."""
        self._callers[index].settle()

    def gone(self, index: int) -> Any | None:
        """The response to a request whose caller does not wait any more, or None."""
        try:
            self._callers[index].check()
        except GoneError as error:
            return gone_response(error)
        return None
