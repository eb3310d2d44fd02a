"""Keep-alive HTTP connections to one server, shared by any number of threads."""

import select
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, RemoteDisconnected
from urllib.parse import unquote, urlsplit

from clients.address import Address
from clients.errors import RequestRejected
from clients.proxy import proxy_for, without_credentials
from clients.terms import Terms


class HttpConnections:
    """Reuses idle connections and opens new ones. The timeout is for the longest wait on the socket.

    Connections go through the proxy that the environment names for the server; over TLS through a tunnel, so that the
    proxy reads nothing. Raises RequestRejected if that is not an HTTP proxy, or if a certificate file is wrong.
    """

    def __init__(self, address: Address, terms: Terms) -> None:
        self._host, self._port, self._prefix = address.host, address.port, ""
        self._headers = {"Content-Type": "application/json"} | terms.credentials.headers
        self._timeout = terms.timeout
        self._context = terms.credentials.ssl_context() if address.secure else None
        self._tunnel: tuple[str, int, dict[str, str]] | None = None  # through a proxy, to host and port, with headers
        self._idle: deque[HTTPConnection] = deque()  # its append and pop are atomic
        proxy = proxy_for(address)
        if proxy is not None:
            self._go_through(proxy, address)

    @contextmanager
    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Iterator[HTTPResponse]:
        """Yields the response to a POST with its body unread. A connection whose response was read is kept.

        headers: beside those that every request has.

        Raises OSError or http.client.HTTPException if the request fails.
        """
        with self._answered("POST", path, body, headers) as response:
            yield response

    @contextmanager
    def get(self, path: str) -> Iterator[HTTPResponse]:
        """Yields the response to a GET; see post."""
        with self._answered("GET", path, None, {}) as response:
            yield response

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _answered(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Iterator[HTTPResponse]:
        connection, response = self._send(method, self._prefix + path, body, self._headers | headers)
        whole = False
        try:
            yield response
            whole = response.isclosed()
        finally:
            if whole:
                self._idle.append(connection)
            else:
                connection.close()  # the rest of this answer must not meet the next request

    def _go_through(self, proxy: str, address: Address) -> None:
        parts = urlsplit(proxy)
        if parts.scheme != "http" or not parts.hostname:
            raise RequestRejected(
                f"the environment names {without_credentials(proxy)} as the proxy for {address.host}, which is not an "
                "http:// proxy: set http_proxy to one, or add the server to no_proxy"
            )
        self._host, self._port = parts.hostname, parts.port or 80
        for_proxy = {}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            for_proxy["Proxy-Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
        if address.secure:
            self._tunnel = (address.host, address.port, for_proxy)
        else:
            self._prefix = f"http://{address.target}"
            self._headers |= for_proxy

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse]:
        while True:
            connection = self._idle_connection()
            reused = connection is not None
            if connection is None:
                connection = self._connection()
            try:
                connection.request(method, path, body, headers)
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

    def _connection(self) -> HTTPConnection:
        if self._context is None:
            return HTTPConnection(self._host, self._port, timeout=self._timeout)
        connection = HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        if self._tunnel is not None:
            connection.set_tunnel(*self._tunnel)
        return connection

    def _idle_connection(self) -> HTTPConnection | None:
        """Returns a connection on which nothing has arrived: neither its end, nor bytes that nobody asked for."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                return None
            if connection.sock is None or not _is_readable(connection):
                return connection
            connection.close()
        return None


def _is_readable(connection: HTTPConnection) -> bool:
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
