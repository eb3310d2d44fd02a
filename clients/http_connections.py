"""Keep-alive HTTP connections to one server, shared by any number of threads."""

import select
import socket
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from urllib.parse import unquote, urlsplit

from clients.address import Address
from clients.errors import RequestRejected
from clients.proxy import proxy_for, without_credentials
from clients.terms import Terms


class NeverSentError(OSError):
    """No connection could be made, so the server has not got the request. cause: why."""

    def __init__(self, cause: OSError | HTTPException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class HttpConnections:
    """Reuses idle connections and opens new ones. The timeout is for the longest wait on the socket.

    Connections go through the proxy that the environment names for the server; over TLS through a tunnel, so that the
    proxy reads nothing. Raises RequestRejected if that is not an HTTP proxy, or if a certificate file is wrong.
    """

    def __init__(self, address: Address, terms: Terms) -> None:
        self._host, self._port, self._prefix = address.host, address.port, ""
        self._ip = address.ip
        self._headers = {"Content-Type": "application/json"} | terms.credentials.headers
        self._timeout = terms.timeout
        self._connect_seconds = terms.connect_seconds or terms.timeout
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

        Raises OSError or http.client.HTTPException if the request fails; of these NeverSentError if there is no
        connection.
        """
        with self._answered("POST", path, body, headers) as response:
            yield response

    @contextmanager
    def get(
        self, path: str, seconds: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """Yields the response to a GET; see post. seconds: the longest wait on the socket, if not the usual one.

        With `seconds` the connection is a new one, and not kept.
        """
        with self._answered("GET", path, None, dict(headers or {}), seconds) as response:
            yield response

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _answered(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float | None = None
    ) -> Iterator[HTTPResponse]:
        connection, response = self._send(method, self._prefix + path, body, self._headers | headers, seconds)
        whole = False
        try:
            yield response
            whole = response.isclosed()
        finally:
            if whole and seconds is None:
                self._idle.append(connection)
            else:
                connection.close()  # the rest of this answer must not meet the next request

    def _go_through(self, proxy: str, address: Address) -> None:
        try:
            parts = urlsplit(proxy)
            host, port = parts.hostname if parts.scheme == "http" else None, parts.port or 80
        except ValueError:  # its host or port cannot be one
            host = None
        if not host:
            raise RequestRejected(
                f"the environment names {without_credentials(proxy)} as the proxy for {address.host}, which is not an "
                "http:// proxy: set http_proxy to one, or add the server to no_proxy"
            )
        self._host, self._port = host, port
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
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float | None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        while True:
            connection = self._idle_connection() if seconds is None else None
            reused = connection is not None
            if connection is None:
                connection = self._new_connection(seconds)
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

    def _new_connection(self, seconds: float | None) -> HTTPConnection:
        timeout = seconds or self._timeout
        if self._context is None:
            connection = HTTPConnection(self._host, self._port, timeout=timeout)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context)
            if self._tunnel is not None:
                connection.set_tunnel(*self._tunnel)
        try:
            self._connect(connection, min(timeout, self._connect_seconds))
            connection.sock.settimeout(timeout)
        except (OSError, HTTPException) as error:
            connection.close()
            raise NeverSentError(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, connection: HTTPConnection, seconds: float) -> None:
        """Connects to the host, or to the one of its addresses that is meant."""
        if self._ip is None:
            connection.timeout = seconds
            connection.connect()
            return
        connection.sock = socket.create_connection((self._ip, self._port), seconds)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            connection.sock = self._context.wrap_socket(connection.sock, server_hostname=self._host)

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
