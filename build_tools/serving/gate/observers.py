"""What is known of one request, and who is told when it begins and ends: metrics, access log, traces."""

import time
from dataclasses import dataclass, field
from typing import Protocol

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.call import InferCall


@dataclass(slots=True)
class Exchange:
    """One request and its answer, filled in on the way.

    protocol: grpc, stream or http. method: the name of the gRPC call, or of the HTTP endpoint. id: the request's.
    traceparent: W3C trace context, which goes on to Triton; an observer may put that of its own span here.
    call: what is asked, once it has been checked. code: "ok" or the label of a Code. sentence: of the refusal.
    received, sent: bytes. began: seconds of time.perf_counter.
    """

    protocol: str
    method: str
    id: str = ""
    traceparent: str = ""
    caller: Caller = Caller()  # noqa: RUF009, frozen
    call: InferCall | None = None
    code: str = "ok"
    sentence: str = ""
    received: int = 0
    sent: int = 0
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.began


class Observer(Protocol):
    """Is told of every request. Runs in the event loop: must not block, and must not raise."""

    def began(self, exchange: Exchange) -> None:
        """The headers have come: protocol, method, id and traceparent are known."""

    def ended(self, exchange: Exchange) -> None:
        """It has been answered, refused or left by its caller."""
