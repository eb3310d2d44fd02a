"""The model `nlu_stream`: the router of `nlu`, sending each task's answer as soon as its branch is done."""

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "nlu" / "1"), str(REPOSITORY / "tokenizer" / "1")]

from router.request import read_rows
from router.response import failure_response, refusal_response, result_response
from router.router import Router
from text_tokenizer import RefusedRequestError

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    """Answers each request once per task."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent)

    async def execute(self, requests: list[Any]) -> None:
        """Texts of all requests go through trunk and branches together; a coroutine per batch, many in flight.

        Every request gets its final flag, whatever happens: one that does not keeps the server from stopping.
        """
        senders = [request.get_response_sender() for request in requests]
        last: dict[int, Any] = {}  # the response, if any, that goes with a request's final flag
        try:
            async with aclosing(self._responses(requests)) as responses:
                async for index, response in responses:
                    if response.has_error():
                        last[index] = response
                    else:
                        senders[index].send(response)
        except Exception as error:  # what fails here fails for all texts alike
            last |= {
                index: failure_response("nlu_stream", error) for index in range(len(requests)) if index not in last
            }
        for index, sender in enumerate(senders):
            _finish(sender, last.get(index))

    async def _responses(self, requests: list[Any]) -> AsyncIterator[tuple[int, Any]]:
        """Yields (number of the request, response) as branches are done."""
        registry = self._router.registry()
        rows, spans = [], {}
        for index, request in enumerate(requests):
            try:
                asked = read_rows(request, registry)
            except RefusedRequestError as error:
                yield index, refusal_response(error)
            else:
                spans[index] = range(len(rows), len(rows) + len(asked))
                rows += asked
        async with aclosing(self._router.answer(rows, registry)) as tasks:
            async for task, by_row in tasks:
                for index, span in spans.items():
                    if any(row in by_row for row in span):
                        yield index, result_response([{task: by_row[row]} if row in by_row else {} for row in span])


def _finish(sender: Any, response: Any) -> None:
    try:
        if response is None:
            sender.send(flags=FINAL)
        else:
            sender.send(response, flags=FINAL)
    except Exception as error:  # one caller that is gone must not keep the others from their final flag
        pb_utils.Logger.log_warn(f"nlu_stream: a response could not be sent: {error}")
