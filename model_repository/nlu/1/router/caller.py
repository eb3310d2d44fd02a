"""The caller of a request, and whether it still waits for the answer."""

import json
import math
import re
import threading
import time
from functools import cached_property
from typing import Any

# How often Triton is asked at most: each question goes to another process.
_ASK_AGAIN_SECONDS = 0.02
_HEX = re.compile("[0-9a-f]{2}")
_SAMPLED = 1  # the one flag of a trace context


class GoneError(RuntimeError):
    """Nobody waits for this request's answer. cancelled: True if it was cancelled, False if its timeout has passed."""

    def __init__(self, sentence: str, cancelled: bool) -> None:
        super().__init__(sentence)
        self.cancelled = cancelled


class Caller:
    """The sender of one request. The request's `timeout` (microseconds) counts from when the router takes it up.

    Triton's queue policy compares the same timeout with the time before that, in the queue. id: the request's, or "".
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        self.id: str = request.request_id()
        self._seconds = request.timeout() / 1e6
        self._deadline = time.monotonic() + self._seconds if self._seconds else math.inf
        self._asked = -math.inf
        self._cancelled = False
        self._lock = threading.Lock()

    @cached_property
    def traceparent(self) -> str:
        """The W3C trace context that came with the request, or "". Ask for it before the request is answered."""
        value = json.loads(self._request.parameters() or "{}").get("traceparent", "")
        return value if isinstance(value, str) else ""

    @property
    def is_traced(self) -> bool:
        """True if the caller records this trace, and so wants to see the router's part of it."""
        flags = self.traceparent[-2:]
        return _HEX.fullmatch(flags) is not None and bool(int(flags, 16) & _SAMPLED)

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
