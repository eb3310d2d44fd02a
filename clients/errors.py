"""The errors of asking a server."""

from espalier_errors import EspalierError


class RequestRejected(EspalierError, ValueError):  # noqa: N818 (says what happened, as the other two do)
    """The request is wrong and asking again will not help: refused by the client before sending, or by the
    server, whose sentence is then the whole message."""


class ServerUnavailable(EspalierError):  # noqa: N818
    """No answer now: nothing listens at the address, the deadline passed, or the model is not loaded."""


class ServerFailed(EspalierError):  # noqa: N818
    """The server took the request and broke on it, or answered with something that cannot be read."""
