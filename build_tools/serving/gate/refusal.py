"""Why a request is not answered: one sentence and one class, the same over gRPC and HTTP."""

from enum import Enum

from tritonclient.grpc.aio import grpc  # tritonclient's own grpcio, whose version it chooses

_LONGEST = 1000  # characters; gRPC sends a sentence as a header, whose size its peers bound


class Code(Enum):
    """The class of a refusal: gRPC status, HTTP status. Its name in lower case is the label in metrics."""

    INVALID = (grpc.StatusCode.INVALID_ARGUMENT, 400)
    UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, 401)
    FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, 403)
    NOT_FOUND = (grpc.StatusCode.NOT_FOUND, 404)
    TOO_SLOW = (grpc.StatusCode.DEADLINE_EXCEEDED, 408)  # the caller, with its own request
    TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413)
    TOO_MANY = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
    CANCELLED = (grpc.StatusCode.CANCELLED, 499)
    INTERNAL = (grpc.StatusCode.INTERNAL, 500)
    NOT_OFFERED = (grpc.StatusCode.UNIMPLEMENTED, 501)
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503)  # asking again may help

    @property
    def grpc(self) -> grpc.StatusCode:
        """The gRPC status."""
        return self.value[0]

    @property
    def http(self) -> int:
        """The HTTP status."""
        return self.value[1]

    @property
    def label(self) -> str:
        """The name in metrics and logs."""
        return self.name.lower()


class RefusedError(Exception):
    """A request gets no answer. sentence: one, for the caller. retry_after: seconds after which to ask again."""

    def __init__(self, code: Code, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after

    def for_request(self, request_id: str) -> str:
        """Returns the sentence, not too long, with the request's id, by which logs can be searched."""
        sentence = self.sentence if len(self.sentence) <= _LONGEST else f"{self.sentence[:_LONGEST]}..."
        return sentence if request_id in sentence else f"{sentence} (request {request_id})"


class OutOfTimeError(RefusedError):
    """The deadline of a request passed before its answer came: UNAVAILABLE, as Triton says it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Code.UNAVAILABLE, sentence)


def shown(name: str) -> str:
    """Returns what a caller sent, short and quoted, to be repeated in a sentence."""
    return repr(name if len(name) <= 100 else f"{name[:100]}...")
