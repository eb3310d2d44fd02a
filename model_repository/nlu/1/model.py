"""The model `nlu`: one response with the answers of all tasks that were asked for."""

import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

# The router tokenizes in its own process, with the tokenizer model's code.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tokenizer" / "1"))

from router.request import read_rows
from router.response import failure_response, refusal_response, result_response
from router.router import Router
from text_tokenizer import RefusedRequestError


class TritonPythonModel:
    """Answers each request once, when all its tasks are done."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent)

    async def execute(self, requests: list[Any]) -> list[Any]:
        """Texts of all requests, which may come from many callers, go through trunk and branches together."""
        registry = self._router.registry()
        responses: dict[int, Any] = {}
        rows, spans = [], {}
        for index, request in enumerate(requests):
            try:
                asked = read_rows(request, registry)
            except RefusedRequestError as error:
                responses[index] = refusal_response(error)
            else:
                spans[index] = range(len(rows), len(rows) + len(asked))
                rows += asked
        # In the order asked for, whichever branch is done first.
        answers: list[dict[str, Any]] = [dict.fromkeys(row.tasks) for row in rows]
        try:
            async with aclosing(self._router.answer(rows, registry)) as tasks:
                async for task, by_row in tasks:
                    for row, answer in by_row.items():
                        answers[row][task] = answer
        except Exception as error:  # what fails here fails for all texts alike
            responses |= {index: failure_response("nlu", error) for index in spans}
        else:
            responses |= {index: result_response([answers[row] for row in span]) for index, span in spans.items()}
        return [responses[index] for index in range(len(requests))]
