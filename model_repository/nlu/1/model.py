"""The model `nlu`: one response per request, with the answers of all tasks that it asks for."""

import sys
from pathlib import Path
from typing import Any

# The router tokenizes in its own process, with the tokenizer model's code.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tokenizer" / "1"))

from router.request_batch import RequestBatch
from router.response import failure_response, result_response
from router.router import Router
from router.unavailable import UnavailableError


class TritonPythonModel:
    """Answers each request when all its tasks are done."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that holds this model."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Sends the texts of all requests, which may come from many callers, through trunk and branches together."""
        with self._router.clock.batch():
            return self._answered(requests)

    def finalize(self) -> None:
        """Triton calls it once, before the process ends."""
        self._router.close()

    def _answered(self, requests: list[Any]) -> list[Any]:
        try:
            registry = self._router.registry()
        except UnavailableError as error:
            return [failure_response("nlu", error) for _ in requests]
        batch = RequestBatch(requests, registry)
        responses = dict(batch.refused)
        # In the order of the request, whichever branch is done first.
        answers: list[dict[str, Any]] = [dict.fromkeys(row.tasks) for row in batch.rows]
        try:
            for task, by_row in self._router.answer(batch.rows, registry):
                for row, answer in by_row.items():
                    answers[row][task] = answer
        except Exception as error:  # an error that concerns all texts
            responses |= {index: failure_response("nlu", error) for index in batch.spans}
        else:
            for index, span in batch.spans.items():
                responses[index] = batch.gone(index) or result_response([answers[row] for row in span])
        return [responses[index] for index in range(len(requests))]
