"""Who waits for an answer, and whether anybody still does."""

import math
import threading
import time
from typing import Any

# Triton is asked no more often: the question goes to another process.
_ASK_AGAIN_SECONDS = 0.02


class GoneError(RuntimeError):
    """A request whose answer nobody waits for; `cancelled` tells a cancelled one from a late one."""

    def __init__(self, sentence: str, cancelled: bool) -> None:
        super().__init__(sentence)
        self.cancelled = cancelled


class Caller:
    """The sender of one request. Its `timeout` (microseconds) counts from when the router takes it up.

    The time before, in Triton's queue, the queue policy compares with the same number.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self._seconds = request.timeout() / 1e6
        self._deadline = time.monotonic() + self._seconds if self._seconds else math.inf
        self._asked = -math.inf
        self._cancelled = False
        self._lock = threading.Lock()

    def settle(self) -> None:
        """Everything is answered. Triton frees the request then, and must not be asked about it any more."""
        with self._lock:
            self._asked = math.inf

    def check(self) -> None:
        """Raises GoneError once the request was cancelled or its timeout has passed."""
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
        """True once `check` raises."""
        try:
            self.check()
        except GoneError:
            return True
        return False
