"""The errors of asking a server."""

from espalier_errors import EspalierError


class RequestRejected(EspalierError, ValueError):  # noqa: N818 (says what happened, as the other two do)
    """The request is wrong, and asking again does not help. The client refused it before sending, or the server did."""


class ServerUnavailable(EspalierError):  # noqa: N818
    """The server cannot answer now: nothing listens there, the deadline passed, or the model is not loaded."""


class DeadlinePassed(ServerUnavailable):
    """The timeout passed without an answer: the server may be slow, or the connection lost."""


class NotTaken(ServerUnavailable):
    """No server has begun on the request: it was never sent, or refused for now. It may be sent to another one."""


class Busy(NotTaken):
    """A server that is well has no room for the request."""


class Broken(ServerUnavailable):
    """Something broke while a server may have been at work on the request, which may be why: it is not repeated."""


class ServerFailed(EspalierError):  # noqa: N818
    """The server accepted the request and failed, or its answer cannot be read."""


class OthersAnswer(ServerFailed):
    """The answer belongs to another request: the connection cannot be trusted."""


SUSPECT_CONNECTION = (DeadlinePassed, OthersAnswer)  # after these a client opens a new connection
