"""The model `nlu_stream`: the router of `nlu`, which here sends each task's answer as soon as its branch is done."""

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
        """Opens the repository that holds this model."""
        self._router = Router(Path(args["model_repository"]).parent, "nlu_stream")

    def execute(self, requests: list[Any]) -> None:
        """Sends the texts of all requests through trunk and branches together. Returns when every response is sent.

        A process handles one batch at a time: tritonserver 2.51 dies (signal 11) if a decoupled model works in several
        threads, for example if two of them increment one metric at once. The model's instances, each a process, handle
        batches side by side.
        """
        streams: list[_Stream] = []
        try:
            streams += [_Stream(request.get_response_sender()) for request in requests]
            with self._router.clock.batch():
                self._answer(requests, streams)
        except BaseException as error:  # concerns all requests; a panic in Rust code is not an Exception
            for stream in streams:
                stream.end(failure_response("nlu_stream", error))
            if not isinstance(error, Exception):
                raise
        finally:
            for stream in streams:
                stream.end()

    def finalize(self) -> None:
        """Triton calls it once, before the process ends."""
        self._router.close()

    def _answer(self, requests: list[Any], streams: list["_Stream"]) -> None:
        registry = self._router.registry()
        batch = RequestBatch(requests, registry)
        for index, refusal in batch.refused.items():
            streams[index].end(refusal)
        # {request: {task: how many of its texts ask for it}}; tasks are removed once their answers are sent.
        unsent = {
            index: Counter(task for row in span for task in batch.rows[row].tasks)
            for index, span in batch.spans.items()
        }
        answered: dict[tuple[int, str], dict[int, str]] = {}  # (request, task): {row: answer}
        for task, by_row in self._router.answer(batch.rows, registry):
            for index, span in batch.spans.items():
                own = {row: answer for row, answer in by_row.items() if row in span}
                if not own:
                    continue
                rows = answered.setdefault((index, task), {})
                rows |= own
                # One response per task, even if a request's rows were computed in several length groups.
                if len(rows) < unsent[index][task]:
                    continue
                del unsent[index][task]
                response = result_response([{task: rows[row]} if row in rows else {} for row in span])
                if unsent[index]:
                    streams[index].send(response)
                else:  # without waiting for the other requests of the batch
                    batch.settle(index)
                    streams[index].end(response)
        for index, tasks in unsent.items():
            if tasks and (response := batch.gone(index)) is not None:
                streams[index].end(response)


class _Stream:
    """The responses to one request. The server cannot stop before every stream has ended."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._has_ended = False

    def send(self, *response: Any, flags: int = 0) -> None:
        try:
            self._sender.send(*response, flags=flags)
        except Exception as error:  # a caller that is gone must not cost others their answers
            pb_utils.Logger.log_warn(f"nlu_stream: a response could not be sent: {error}")

    def end(self, *response: Any) -> None:
        """Ends the stream, with a last response or without one. Does nothing if it has ended already."""
        if not self._has_ended:
            self._has_ended = True
            self.send(*response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
