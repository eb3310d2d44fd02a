"""The model `nlu_stream`: the router of `nlu`, sending each task's answer as soon as its branch is done."""

import sys
from pathlib import Path

import triton_python_backend_utils as pb_utils

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "nlu" / "1"), str(REPOSITORY / "tokenizer" / "1")]

from router.request import RefusedRequestError, read_rows
from router.response import error_response, result_response
from router.router import Router

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    """Answers each request once per task."""

    def initialize(self, args):
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent)

    async def execute(self, requests):
        """Texts of all requests go through trunk and branches together; a coroutine per batch, many in flight.

        Every request gets its final flag, whatever happens: one that does not keeps the server from stopping.
        """
        senders = [request.get_response_sender() for request in requests]
        waiting = dict(enumerate(senders))
        try:
            async for index, response in self._responses(requests):
                if response.has_error():
                    waiting.pop(index).send(response, flags=FINAL)
                else:
                    senders[index].send(response)
        except Exception as error:  # what fails here fails for all texts alike
            for sender in waiting.values():
                sender.send(error_response(error, pb_utils.TritonError.INTERNAL), flags=FINAL)
        else:
            for sender in waiting.values():
                sender.send(flags=FINAL)

    async def _responses(self, requests):
        """Yields (number of the request, response) as branches are done."""
        registry = self._router.registry()
        rows, spans = [], {}
        for index, request in enumerate(requests):
            try:
                asked = read_rows(request, registry)
            except RefusedRequestError as error:
                yield index, error_response(error, pb_utils.TritonError.INVALID_ARG)
            else:
                spans[index] = range(len(rows), len(rows) + len(asked))
                rows += asked
        async for task, by_row in self._router.answer(rows, registry):
            for index, span in spans.items():
                if any(row in by_row for row in span):
                    yield index, result_response([{task: by_row[row]} if row in by_row else {} for row in span])
