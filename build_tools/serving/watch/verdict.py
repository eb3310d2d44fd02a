"""What the answer to a probe says of the model."""

from enum import Enum, auto

import grpc

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_control import TritonError
from build_tools.serving.watch.probes import NO_TASK

_DEAD = "is not healthy"  # of a stub process, in Triton's Python backend


class Verdict(Enum):
    """WORKS: it answers, if only that it refuses. WAITS: it works, but cannot serve yet (a router without a registry).

    DEAD: its process is gone. ERRS: it fails on what it should answer. LATE: no answer in time. UNKNOWN: says nothing
    of the model (it is being loaded or unloaded, or Triton itself does not answer).
    """

    WORKS = auto()
    WAITS = auto()
    DEAD = auto()
    ERRS = auto()
    LATE = auto()
    UNKNOWN = auto()


def verdict(error: ServeError | None, is_router: bool) -> Verdict:
    """Judges the error with which a probe failed; None if it was answered."""
    sentence = str(error)
    if error is None or NO_TASK in sentence:
        return Verdict.WORKS
    if _DEAD in sentence:
        return Verdict.DEAD
    code = error.code if isinstance(error, TritonError) else None
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Verdict.LATE
    if "unknown model" in sentence or code is grpc.StatusCode.NOT_FOUND:
        return Verdict.UNKNOWN
    if code is grpc.StatusCode.UNAVAILABLE:
        return Verdict.WAITS if is_router and "connect" not in sentence else Verdict.UNKNOWN
    if code is grpc.StatusCode.CANCELLED:
        return Verdict.UNKNOWN
    if code is None:  # in a stream
        return Verdict.WAITS if "registry" in sentence or "ask again" in sentence else Verdict.ERRS
    return Verdict.ERRS
