"""The error that a failed call becomes. A transport finds out what happened; this module has the sentences."""

import re

from clients.errors import RequestRejected, ServerFailed, ServerUnavailable
from espalier_errors import EspalierError

# Triton says this over both transports if a model was never loaded or has no usable version. The status codes differ
# between transports, so the sentence is the one reliable sign.
_UNKNOWN_MODEL = re.compile(r"^Request for unknown model: '([^']*)'")
# How Triton's Python backend reports an exception that the model itself did not turn into an error response.
# The generate endpoints send it as 400, like a bad request.
_MODEL_BROKE = re.compile(r"^Failed to process the request\(s\) for model (?:instance )?'[^']*', message: ")

# The queue policy of the router's config, and the router itself once a request has left the queue.
_QUEUE_FULL = "Exceeds maximum queue size"
_STOPPING = "Server is stopping"
_TOO_LATE = re.compile(r"Request timeout expired|the request's timeout of \S+ s has passed")


def is_tritons(sentence: str) -> bool:
    """Returns whether the sentence comes from Triton, and not from the transport."""
    words = (_QUEUE_FULL, _STOPPING)
    return bool(_UNKNOWN_MODEL.match(sentence) or any(one in sentence for one in words) or _TOO_LATE.search(sentence))


def unreachable(url: str, reason: str) -> ServerUnavailable:
    """Returns the error for a server that did not answer. reason: a few words, for example "Connection refused"."""
    return ServerUnavailable(
        f"the server at {url} cannot be reached ({reason}): start one with `espalier serve`, or give the "
        "address of a running one (by default host:8001 for gRPC, http://host:8000 for HTTP)"
    )


def too_slow(url: str, timeout: float) -> ServerUnavailable:
    """Returns the error for a deadline of `timeout` seconds that passed."""
    return ServerUnavailable(
        f"the server at {url} did not answer within {timeout:g} s: it may be overloaded or still loading; "
        "ask again later or give a longer timeout"
    )


def not_now(url: str, status: int) -> ServerUnavailable:
    """Returns the error for an HTTP status that a proxy before the server sent."""
    return ServerUnavailable(f"the server at {url} cannot answer now (HTTP status {status}): ask again later")


def refusal(url: str, sentence: str, bad_request: bool) -> EspalierError:
    """Returns the error for an error response. bad_request: whether its status code blames the request."""
    if unknown := _UNKNOWN_MODEL.match(sentence):
        return ServerUnavailable(
            f"the server at {url} runs but its model '{unknown[1]}' is not loaded: wait until it is ready, "
            "or serve a repository made by `espalier build`"
        )
    if _QUEUE_FULL in sentence:
        return ServerUnavailable(
            f"the server at {url} is too busy (its queue is full): ask again later, with fewer requests at once"
        )
    if _STOPPING in sentence:
        return ServerUnavailable(f"the server at {url} is being stopped: ask again when it is back, or ask another one")
    if _TOO_LATE.search(sentence):
        return ServerUnavailable(
            f"the server at {url} was too busy to answer within the timeout: ask again later or give a longer one"
        )
    broke = _MODEL_BROKE.match(sentence)
    if bad_request and not broke:
        return RequestRejected(sentence)
    reason = sentence[broke.end() :] if broke else sentence
    # Triton puts the model's traceback below the first line; it belongs in the server's log.
    first_line = (reason.strip() or "no reason given").splitlines()[0]
    return ServerFailed(f"the server at {url} failed on this request: {first_line}")


def unreadable(what: str) -> ServerFailed:
    """Returns the error for an answer that does not have the agreed form."""
    return ServerFailed(
        f"the server's answer cannot be read ({what}): it may not be an Espalier router, or one of another release"
    )
