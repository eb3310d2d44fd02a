"""Requests to `nlu_stream`, sent without waiting for their answers."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from router_inputs import router_inputs
from tritonclient import grpc
from tritonclient.utils import InferenceServerException


class StreamAsker:
    """A stream to `nlu_stream`; leaving it cancels what has not been answered.

    arrived: what came, in order: (name of a request, True if that was its end). Triton does not say whose an error is:
    errors are apart.
    """

    def __init__(self, url: str) -> None:
        self.arrived: list[tuple[str, bool]] = []
        self.errors: list[str] = []
        self._sent = 0
        self._is_left = False
        self._changed = threading.Condition()
        self._client = grpc.InferenceServerClient(url)
        self._client.start_stream(self._take)

    def __enter__(self) -> "StreamAsker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        self._client.stop_stream(cancel_requests=True)
        self._client.close()

    def send(self, texts: Sequence[str], tasks: str | None = None, name: str = "", **terms: int) -> None:
        """terms: `timeout` in microseconds, `priority`."""
        self._sent += 1
        inputs = router_inputs(texts, tasks)
        self._client.async_stream_infer(
            "nlu_stream", inputs, request_id=name, enable_empty_final_response=True, **terms
        )

    @property
    def ended(self) -> list[str]:
        """The names of the requests that were answered, in order of their end."""
        return [name for name, is_end in self.arrived if is_end]

    def wait(self, seconds: float) -> None:
        """Until each request was answered or refused."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ended) + len(self.errors) == self._sent, seconds)

    def wait_for_error(self, seconds: float) -> None:
        """Until a request was refused."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.errors, seconds)

    def _take(self, result: Any | None, error: InferenceServerException | None) -> None:
        with self._changed:
            if self._is_left:  # what is left behind is cancelled, and that is reported too
                return
            if error is not None:
                self.errors.append(str(error))
            else:
                response = result.get_response()
                self.arrived.append((response.id, response.parameters["triton_final_response"].bool_param))
            self._changed.notify_all()
