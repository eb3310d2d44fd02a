"""The model `nlu`: one response with the answers of all tasks that were asked for."""

import sys
from collections import defaultdict
from pathlib import Path

import triton_python_backend_utils as pb_utils

# The router tokenizes in its own process, with the tokenizer model's code.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tokenizer" / "1"))

from router.request import RefusedRequestError, read_rows
from router.response import error_response, result_response
from router.router import Router


class TritonPythonModel:
    """Answers each request once, when all its tasks are done."""

    def initialize(self, args):
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent)

    async def execute(self, requests):
        """Texts of all requests, which may come from many callers, go through trunk and branches together."""
        registry = self._router.registry()
        responses = [None] * len(requests)
        rows, spans = [], {}
        for index, request in enumerate(requests):
            try:
                asked = read_rows(request, registry)
            except RefusedRequestError as error:
                responses[index] = error_response(error, pb_utils.TritonError.INVALID_ARG)
            else:
                spans[index] = range(len(rows), len(rows) + len(asked))
                rows += asked
        answers = defaultdict(dict)
        try:
            async for task, by_row in self._router.answer(rows, registry):
                for row, answer in by_row.items():
                    answers[row][task] = answer
        except Exception as error:  # what fails here fails for all texts alike
            failure = error_response(error, pb_utils.TritonError.INTERNAL)
            return [response or failure for response in responses]
        for index, span in spans.items():
            responses[index] = result_response([answers[row] for row in span])
        return responses
