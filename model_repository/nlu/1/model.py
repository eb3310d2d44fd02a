"""The model `nlu`: one response with the answers of all tasks that were asked for."""

import sys
from pathlib import Path
from typing import Any

# The router tokenizes in its own process, with the tokenizer model's code.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tokenizer" / "1"))

from router.request_batch import RequestBatch
from router.response import failure_response, result_response
from router.router import Router


class TritonPythonModel:
    """Answers each request once, when all its tasks are done."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Texts of all requests, which may come from many callers, go through trunk and branches together."""
        registry = self._router.registry()
        intake = RequestBatch(requests, registry)
        responses = dict(intake.refused)
        # In the order asked for, whichever branch is done first.
        answers: list[dict[str, Any]] = [dict.fromkeys(row.tasks) for row in intake.rows]
        try:
            for task, by_row in self._router.answer(intake.rows, registry):
                for row, answer in by_row.items():
                    answers[row][task] = answer
        except Exception as error:  # what fails here fails for all texts alike
            responses |= {index: failure_response("nlu", error) for index in intake.spans}
        else:
            for index, span in intake.spans.items():
                responses[index] = intake.gone(index) or result_response([answers[row] for row in span])
        return [responses[index] for index in range(len(requests))]
