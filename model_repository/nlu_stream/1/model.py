"""The model `nlu_stream`: the router of `nlu`, sending each task's answer as soon as its branch is done."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "nlu" / "1"), str(REPOSITORY / "tokenizer" / "1")]

from router.request_batch import RequestBatch
from router.response import failure_response, result_response
from router.router import Router


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
        streams: list[_Stream] = []
        try:
            streams += [_Stream(request.get_response_sender()) for request in requests]
            self._answer(requests, streams)
        except BaseException as error:  # what fails here fails for all texts alike; a panic of Rust is no Exception
            for stream in streams:
                stream.end(failure_response("nlu_stream", error))
            if not isinstance(error, Exception):
                raise
        finally:
            for stream in streams:
                stream.end()

    def _answer(self, requests: list[Any], streams: list["_Stream"]) -> None:
        registry = self._router.registry()
        intake = RequestBatch(requests, registry)
        for index, refusal in intake.refused.items():
            streams[index].end(refusal)
        # {request: {task: how many of its texts ask for it}}, without those tasks whose answers are sent.
        unsent = {
            index: Counter(task for row in span for task in intake.rows[row].tasks)
            for index, span in intake.spans.items()
        }
        answered: dict[tuple[int, str], dict[int, str]] = {}  # (request, task): {row: answer}
        for task, by_row in self._router.answer(intake.rows, registry):
            for index, span in intake.spans.items():
                own = {row: answer for row, answer in by_row.items() if row in span}
                if not own:
                    continue
                rows = answered.setdefault((index, task), {})
                rows |= own
                # One response per task, also where a request's rows were computed in several length groups.
                if len(rows) < unsent[index][task]:
                    continue
                del unsent[index][task]
                response = result_response([{task: rows[row]} if row in rows else {} for row in span])
                if unsent[index]:
                    streams[index].send(response)
                else:  # it need not wait for what other requests of the batch have asked for
                    intake.settle(index)
                    streams[index].end(response)
        for index, tasks in unsent.items():
            if tasks and (response := intake.gone(index)) is not None:
                streams[index].end(response)


class _Stream:
    """The responses to one request. Without its end, the server could not stop."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._has_ended = False

    def send(self, *response: Any, flags: int = 0) -> None:
        try:
            self._sender.send(*response, flags=flags)
        except Exception as error:  # one caller that is gone must not keep the others from their answers
            pb_utils.Logger.log_warn(f"nlu_stream: a response could not be sent: {error}")

    def end(self, *response: Any) -> None:
        """With a last response, or with none. Does nothing if it has ended."""
        if not self._has_ended:
            self._has_ended = True
            self.send(*response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
