"""The error that a failed call becomes. A transport finds out what happened; this module has the sentences."""

import re

from clients.errors import (
    Broken,
    Busy,
    DeadlinePassed,
    NotTaken,
    OthersAnswer,
    RequestRejected,
    ServerFailed,
    ServerUnavailable,
)
from espalier_errors import EspalierError

# Triton says this over both transports if a model was never loaded or has no usable version. The status codes differ
# between transports, so the sentence is the one reliable sign.
_UNKNOWN_MODEL = re.compile(r"^Request for unknown model: '([^']*)'")
# How Triton's Python backend reports an exception that the model itself did not turn into an error response.
# The generate endpoints send it as 400, like a bad request.
_MODEL_BROKE = re.compile(r"^Failed to process the request\(s\) for model (?:instance )?'[^']*', message: ")

_CLOSED = re.compile(r"closed|disconnected|reset", re.IGNORECASE)

# The queue policy of the router's config, and the router itself once a request has left the queue.
_QUEUE_FULL = "Exceeds maximum queue size"
_STOPPING = "Server is stopping"
# The router, if a process that it needs has died, and Triton itself: over a stream there is no status code.
_NOT_NOW = re.compile(r"cannot answer now, ask again: (?P<why>.*)|Server not ready|[Ss]tub process .*is not healthy")
_TOO_LATE = re.compile(r"Request timeout expired|the request's timeout of \S+ s has passed")
# The gate's sentences for a server that cannot answer now, and for a key that asks too much at once.
_GATE_SAYS = re.compile(r"^the server (?=is |has |cannot )")
_GATE_IS_FULL = re.compile(r"^the server (is too busy|has \d+ requests in flight)")
# What the gate says if Triton was lost below a request, which may be why.
_GATE_LOST_TRITON = "is being started again"
_TOO_MANY = "requests in flight"
_TOO_LARGE = re.compile(r"larger than")


def is_servers(sentence: str) -> bool:
    """Returns whether the sentence comes from the gate or from Triton, and not from the transport."""
    words = (_QUEUE_FULL, _STOPPING, _TOO_MANY)
    signs = (_UNKNOWN_MODEL, _TOO_LATE, _NOT_NOW, _GATE_SAYS)
    return any(one in sentence for one in words) or any(sign.search(sentence) for sign in signs)


def unreachable(url: str, reason: str, secure: bool = False, sent: bool = True) -> ServerUnavailable:
    """Returns the error for a server that did not answer. reason: a few words, for example "Connection refused".

    secure: over TLS, where a server that misses a client certificate often just ends the connection.
    sent: whether the server may have got the request.
    """
    kind = Broken if sent else NotTaken
    if secure and _CLOSED.search(reason):
        return kind(
            f"the server at {url} ended the connection ({reason}): if it asks for a client certificate, give one that "
            "it trusts as cert (ESPALIER_CERT and ESPALIER_CERT_KEY)"
        )
    return kind(
        f"the server at {url} cannot be reached ({reason}): start one with `espalier serve`, or give the "
        "address of a running one (by default host:8001 for gRPC, http://host:8000 for HTTP)"
    )


def cut_short(url: str) -> ServerUnavailable:
    """Returns the error for a stream that ended before its last answer."""
    return unreachable(url, "the stream ended before the last answer")


def too_slow(url: str, timeout: float) -> DeadlinePassed:
    """Returns the error for a deadline of `timeout` seconds that passed."""
    return DeadlinePassed(
        f"the server at {url} did not answer within {timeout:g} s: it may be overloaded or still loading; "
        "ask again later or give a longer timeout"
    )


def untrusted(url: str, reason: str) -> RequestRejected:
    """Returns the error for a TLS handshake that failed. reason: a few words, as OpenSSL has them."""
    return RequestRejected(
        f"no trusted connection to {url} ({reason.rstrip('.')}): give the authority that signed the server's "
        "certificate as ca (ESPALIER_CA), the host name that is in it, and cert (ESPALIER_CERT) if the server asks "
        "for a client certificate"
    )


def unauthenticated(url: str, sentence: str | None) -> RequestRejected:
    """Returns the error for a server that does not know who asks."""
    why = f" ({sentence.splitlines()[0]})" if sentence else ""
    return RequestRejected(
        f"the server at {url} does not know this client{why}: give its key as Client(key=...), or in ESPALIER_KEY or "
        "ESPALIER_KEY_FILE on the command line; `espalier keys add` makes keys"
    )


def forbidden(sentence: str | None) -> RequestRejected:
    """Returns the error for a client that may not ask what it asked."""
    return RequestRejected(sentence or "the server knows this client, but does not let it ask this")


def too_much(url: str, sentence: str) -> EspalierError:
    """Returns the error for gRPC's RESOURCE_EXHAUSTED, which means a message too large or too many requests."""
    if _TOO_LARGE.search(sentence):  # of gRPC, on either side
        return RequestRejected(f"{sentence.splitlines()[0]}: send fewer or shorter texts at once")
    return ServerUnavailable(f"the server at {url} refuses: {sentence.splitlines()[0] if sentence else 'too much'}")


def not_now(url: str, status: int) -> ServerUnavailable:
    """Returns the error for an HTTP status that a proxy before the server sent."""
    # 503: a proxy that has no server to ask. 502: it lost the one that it asked. After 504, too, one may have the
    # request; 429 asks for fewer of them.
    kind = {503: NotTaken, 502: Broken}.get(status, ServerUnavailable)
    return kind(f"the server at {url} cannot answer now (HTTP status {status}): ask again later")


def redirected(url: str, location: str | None) -> ServerUnavailable:
    """Returns the error for a redirect, which no client follows: it could lead texts to another host."""
    to = f" to {location}" if location else ""
    return ServerUnavailable(f"the server at {url} redirects{to}: give the address that it redirects to")


def refusal(url: str, sentence: str, bad_request: bool) -> EspalierError:
    """Returns the error for an error response. bad_request: whether its status code blames the request."""
    if unknown := _UNKNOWN_MODEL.match(sentence):
        return NotTaken(
            f"the server at {url} runs but its model '{unknown[1]}' is not loaded: wait until it is ready, "
            "or serve a repository made by `espalier build`"
        )
    if _QUEUE_FULL in sentence:
        return Busy(
            f"the server at {url} is too busy (its queue is full): ask again later, with fewer requests at once"
        )
    if _STOPPING in sentence:
        return NotTaken(f"the server at {url} is being stopped: ask again when it is back, or ask another one")
    if _TOO_LATE.search(sentence):
        return ServerUnavailable(
            f"the server at {url} was too busy to answer within the timeout: ask again later or give a longer one"
        )
    if process := _NOT_NOW.search(sentence):
        # Triton's "Server not ready" comes before the request is looked at; a process that has died may have had it.
        kind = NotTaken if sentence.startswith("Server not ready") else Broken
        return kind(f"the server at {url} cannot answer now ({process['why'] or sentence}): ask again later")
    if says := _GATE_SAYS.match(sentence):
        kind = Busy if _GATE_IS_FULL.match(sentence) else Broken if _GATE_LOST_TRITON in sentence else NotTaken
        return kind(f"the server at {url} {sentence[says.end() :].splitlines()[0]}")
    if _TOO_MANY in sentence:
        return ServerUnavailable(f"the server at {url} refuses: {sentence.splitlines()[0]}")
    broke = _MODEL_BROKE.match(sentence)
    if bad_request and not broke:
        return RequestRejected(sentence)
    reason = sentence[broke.end() :] if broke else sentence
    # Triton puts the model's traceback below the first line; it belongs in the server's log.
    first_line = (reason.strip() or "no reason given").splitlines()[0]
    return ServerFailed(f"the server at {url} failed on this request: {first_line}")


def check_id(asked: str, answered: object) -> None:
    """Raises OthersAnswer if an answer names the id of another request. A server need not name any."""
    if answered and answered != asked:
        raise OthersAnswer(
            "the answer belongs to another request, so it was not used: something between this client and the server "
            "mixes up the answers of a connection"
        )


def forked_stream() -> RequestRejected:
    """Returns the error for a stream that a child process goes on reading."""
    return RequestRejected(
        "this stream was started before a fork, so its answers belong to the parent: start a stream in the child"
    )


def grpc_after_fork() -> RequestRejected:
    """Returns the error for gRPC in a process that was forked after it had used gRPC."""
    return RequestRejected(
        "gRPC cannot be used in a process that was forked after its parent had used gRPC: start the child with "
        "multiprocessing's method spawn, ask for the first time in the child, or use an http:// address"
    )


def other_event_loop() -> RequestRejected:
    """Returns the error for an AsyncClient in a second event loop."""
    return RequestRejected(
        "this AsyncClient belongs to the event loop of its first request: make one AsyncClient in each event loop"
    )


def unreadable(what: str) -> ServerFailed:
    """Returns the error for an answer that does not have the agreed form."""
    return ServerFailed(
        f"the server's answer cannot be read ({what}): it may not be an Espalier router, or one of another release"
    )
