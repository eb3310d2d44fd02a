"""Keep-alive HTTP connections to one server, shared by any number of threads."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected

_HEADERS = {"Content-Type": "application/json"}


class HttpConnections:
    """Reuses idle connections and opens new ones. timeout: seconds of the longest wait on the socket."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._idle: deque[HTTPConnection] = deque()  # its append and pop are atomic

    @contextmanager
    def post(self, path: str, body: bytes) -> Iterator[HTTPResponse]:
        """Yields the response to a POST with its body unread. A connection whose response was read is kept.

        Raises OSError or http.client.HTTPException if the request fails.
        """
        connection, response = self._send(path, body)
        try:
            yield response
        finally:
            if response.isclosed():
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _send(self, path: str, body: bytes) -> tuple[HTTPConnection, HTTPResponse]:
        while True:
            try:
                connection, reused = self._idle.pop(), True
            except IndexError:
                connection, reused = HTTPConnection(self._host, self._port, timeout=self._timeout), False
            try:
                connection.request("POST", path, body, _HEADERS)
                return connection, connection.getresponse()
            except (ConnectionError, RemoteDisconnected):
                connection.close()
                # The server may close an idle connection at any time. A request changes nothing on the server, so it is
                # safe to send it again on another connection.
                if not reused:
                    raise
            except BaseException:
                connection.close()
                raise
