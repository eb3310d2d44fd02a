"""The caller of a request, and whether it still waits for the answer."""

import math
import threading
import time
from typing import Any

# How often Triton is asked at most: each question goes to another process.
_ASK_AGAIN_SECONDS = 0.02


class GoneError(RuntimeError):
    """Nobody waits for this request's answer. cancelled: True if it was cancelled, False if its timeout has passed."""

    def __init__(self, sentence: str, cancelled: bool) -> None:
        super().__init__(sentence)
        self.cancelled = cancelled


class Caller:
    """The sender of one request. The request's `timeout` (microseconds) counts from when the router takes it up.

    Triton's queue policy compares the same timeout with the time before that, in the queue.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._seconds = request.timeout() / 1e6
        self._deadline = time.monotonic() + self._seconds if self._seconds else math.inf
        self._asked = -math.inf
        self._cancelled = False
        self._lock = threading.Lock()

    def settle(self) -> None:
        """Says that everything is answered. Triton then frees the request, and must not be asked about it again."""
        with self._lock:
            self._asked = math.inf

    def check(self) -> None:
        """Raises GoneError if the request was cancelled or its timeout has passed."""
        now = time.monotonic()
        if now > self._deadline:
            raise GoneError(f"the request's timeout of {self._seconds:g} s has passed.", cancelled=False)
        if now - self._asked > _ASK_AGAIN_SECONDS:
            with self._lock:
                if now - self._asked > _ASK_AGAIN_SECONDS:  # no other thread has asked, or settled, meanwhile
                    self._asked = now
                    self._cancelled = self._cancelled or self._request.is_cancelled()
        if self._cancelled:
            raise GoneError("the request was cancelled.", cancelled=True)

    @property
    def is_gone(self) -> bool:
        """True if `check` raises."""
        try:
            self.check()
        except GoneError:
            return True
        return False
