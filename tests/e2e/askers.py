"""Requests to `nlu` and `nlu_stream` that are sent without waiting for their answers."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from router_inputs import BATCH, different_texts, router_inputs
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

PATIENCE = 120.0  # seconds, for the answers to whatever a test has sent
_PATIENCE_MICROSECONDS = int(PATIENCE * 1e6)


class Asker:
    """Sends requests to `nlu` without waiting for their answers."""

    def __init__(self, client: grpc.InferenceServerClient) -> None:
        self._client = client
        self.done: list[str] = []  # names in the order in which they were answered or refused

    def send(
        self, texts: Sequence[str], tasks: str | None = None, name: str = "", **terms: int
    ) -> tuple[Any, "Future[int]"]:
        """The call, and a future of its number of answers. terms: `timeout` in microseconds, `priority`.

        Without a timeout it waits as long as the tests do, however long the queue is: the gate's own bound is shorter.
        """
        future: Future[int] = Future()

        def answered(result: grpc.InferResult | None, error: InferenceServerException | None) -> None:
            self.done.append(name)
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(len(result.as_numpy("result")))

        terms.setdefault("timeout", _PATIENCE_MICROSECONDS)
        return self._client.async_infer("nlu", router_inputs(texts, tasks), answered, **terms), future

    def occupy(self, batches: int = 4) -> list["Future[int]"]:
        """Keeps both router processes busy for a while."""
        return [self.send(different_texts(BATCH, seed=number))[1] for number in range(batches)]


class StreamAsker:
    """A stream to `nlu_stream`; leaving it cancels what has not been answered.

    arrived: what came, in order: (name of a request, True if that was its end). Triton does not say whose an error is:
    errors are apart. ended_before_errors: how many requests had been answered when the first one was refused.
    """

    def __init__(self, url: str) -> None:
        self.arrived: list[tuple[str, bool]] = []
        self.errors: list[str] = []
        self.ended_before_errors = 0
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
        """terms: `timeout` in microseconds, `priority`; see Asker.send."""
        self._sent += 1
        inputs = router_inputs(texts, tasks)
        terms.setdefault("timeout", _PATIENCE_MICROSECONDS)
        self._client.async_stream_infer(
            "nlu_stream", inputs, request_id=name, enable_empty_final_response=True, **terms
        )

    def occupy(self, batches: int = 4, name: str = "") -> None:
        """Keeps both router processes busy for a while."""
        for seed in range(batches):
            self.send(different_texts(BATCH, seed=seed), name=name)

    @property
    def ended(self) -> list[str]:
        """The names of the requests that were answered, in order of their end."""
        return [name for name, is_end in self.arrived if is_end]

    def wait(self) -> None:
        """Returns once each request was answered or refused."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ended) + len(self.errors) == self._sent, PATIENCE)

    def _take(self, result: Any | None, error: InferenceServerException | None) -> None:
        with self._changed:
            if self._is_left:  # what is left behind is cancelled, and that is reported too
                return
            if error is not None:
                if not self.errors:
                    self.ended_before_errors = len(self.ended)
                self.errors.append(str(error))
            else:
                response = result.get_response()
                self.arrived.append((response.id, response.parameters["triton_final_response"].bool_param))
            self._changed.notify_all()
