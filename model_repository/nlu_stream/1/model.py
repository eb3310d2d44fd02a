"""The model `nlu_stream`: the router of `nlu`, sending each task's answer as soon as its branch is done."""

import sys
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "nlu" / "1"), str(REPOSITORY / "tokenizer" / "1")]

from router.intake import Intake
from router.response import failure_response, result_response
from router.router import Router

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    """Answers each request once per task."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the repository that this model lies in."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu_stream")

    def execute(self, requests: list[Any]) -> None:
        """Texts of all requests go through trunk and branches together; returns when everything is sent.

        One batch at a time in a process: tritonserver 2.51 dies (signal 11) of what a decoupled model does from several
        threads, such as two increments of one metric at the same moment. Batches are in flight side by side all the
        same, in the processes of this model's instances.
        """
        last: dict[int, Any] = {}  # the response, if any, that goes with a request's final flag
        senders: list[Any] = []
        try:
            senders += [request.get_response_sender() for request in requests]
            self._stream(requests, senders, last)
        except BaseException as error:  # what fails here fails for all texts alike; a panic of Rust is no Exception
            failed = set(range(len(requests))) - last.keys()
            last |= {index: failure_response("nlu_stream", error) for index in failed}
            if not isinstance(error, Exception):
                raise
        finally:  # every request gets its final flag: one that does not keeps the server from stopping
            for index, sender in enumerate(senders):
                _send(sender, *([last[index]] if index in last else []), flags=FINAL)

    def _stream(self, requests: list[Any], senders: list[Any], last: dict[int, Any]) -> None:
        registry = self._router.registry()
        intake = Intake(requests, registry)
        last |= intake.refused
        answered: dict[tuple[int, str], dict[int, str]] = {}  # (request, task): {row: answer}
        expected = {
            (index, task): sum(task in intake.rows[row].tasks for row in span)
            for index, span in intake.spans.items()
            for task in {task for row in span for task in intake.rows[row].tasks}
        }
        sent: set[tuple[int, str]] = set()
        for task, by_row in self._router.answer(intake.rows, registry):
            for index, span in intake.spans.items():
                own = {row: answer for row, answer in by_row.items() if row in span}
                if not own:
                    continue
                rows = answered.setdefault((index, task), {})
                rows |= own
                # One response per task, also where a request's rows were computed in several length groups.
                if len(rows) == expected[index, task]:
                    _send(senders[index], result_response([{task: rows[row]} if row in rows else {} for row in span]))
                    sent.add((index, task))
        for index in {index for index, _ in expected.keys() - sent}:
            if (response := intake.gone(index)) is not None:
                last[index] = response


def _send(sender: Any, *response: Any, flags: int = 0) -> None:
    try:
        sender.send(*response, flags=flags)
    except Exception as error:  # one caller that is gone must not keep the others from their answers
        pb_utils.Logger.log_warn(f"nlu_stream: a response could not be sent: {error}")
