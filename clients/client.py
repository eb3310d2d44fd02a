"""The blocking client."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Self

from clients import failure
from clients.address import parse_addresses
from clients.answer import Answer, read_row, read_rows
from clients.attempts import Attempts
from clients.credentials import Credentials, File
from clients.errors import ServerUnavailable
from clients.request import Request, single_request, split_requests
from clients.resolution import look_up_seconds, resolve
from clients.servers import Server, Servers
from clients.terms import Terms, checked_retries
from clients.tracing import traced
from clients.transport import Transport, load_transport, open_transport


class Client:
    """Asks the router of one server, or of several by turns. Threads can share a client.

    url: host[:port] or grpc://host[:port] for gRPC, http://host[:port] for HTTP; grpcs:// and https:// over TLS.
        Several servers are a list of these, one text with commas between them, or a name that has several addresses.
        One that is not ready or cannot be reached is left out for a while.
    timeout: seconds for one request; over HTTP for each wait on the socket. A long list is sent in several requests,
        and each may take that long. After a timeout the client opens a new connection, as the old one may be lost
        without a sign.
    bulk: the requests yield to all others, as a nightly job should. Streams over HTTP do not.
    key: this client's key, if the server asks for one.
    ca: PEM file of the authority that signed the server's certificate; the system's authorities if left out.
    cert: PEM files of this client's certificate and its private key, if the server asks for a certificate. A client
        reads them when it connects for the first time.
    retries: how often a request may be sent again that no server has begun on: it was refused as unavailable, or never
        sent. None means 3 among several servers, and 0 where there is one.

    A forked process opens its own connections over HTTP. gRPC's library does not survive a fork, so over gRPC a forked
    process gets RequestRejected if its parent has asked before.

    Every method raises RequestRejected if the request is wrong, ServerUnavailable if the server cannot answer now, and
    ServerFailed if it failed on the request. A task that could not answer raises nothing: its Answer has `error` set.
    """

    def __init__(
        self,
        url: str | Sequence[str] = "localhost:8001",
        timeout: float = 30.0,
        bulk: bool = False,
        *,
        key: str | None = None,
        ca: File | None = None,
        cert: tuple[File, File] | None = None,
        retries: int | None = None,
    ) -> None:
        addresses, terms = parse_addresses(url), Terms(timeout, bulk, Credentials.of(key, ca, cert))
        for address in addresses:
            terms.credentials.check_for(address)
        load_transport(addresses[0])
        self._timeout, self._retries = terms.timeout, checked_retries(retries)
        self._servers = Servers[Transport](
            addresses,
            lambda address: open_transport(address, terms.among(len(self._servers))),
            lambda transport: transport.close(),
        )

    def predict(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> dict[str, Answer]:
        """Returns {task: answer} for one text. pair: the second text, for pair tasks.

        tasks: names of the tasks to ask; None asks all tasks of the server.
        all_scores: also return the scores of all classes.
        """
        return self._ask(single_request(text, pair, tasks, all_scores))[0]

    def predict_batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None] | None = None,
        tasks: Sequence[str] | None = None,
        all_scores: bool = False,
    ) -> list[dict[str, Answer]]:
        """Returns the answers for many texts, in order. A long list is sent in several requests, one by one.

        pairs: one for each text; None for a text without a second one.
        """
        requests = split_requests(texts, pairs, tasks, all_scores)
        return [answers for request in requests for answers in self._ask(request)]

    def stream(
        self, text: str, pair: str | None = None, tasks: Sequence[str] | None = None, all_scores: bool = False
    ) -> Iterator[tuple[str, Answer]]:
        """Yields (task, answer) as soon as each task is done.

        The call checks the request; the first next() sends it. Leaving the loop early cancels the rest.
        """
        return self._stream(single_request(text, pair, tasks, all_scores))

    def close(self) -> None:
        """Closes the connections. The client cannot be used afterwards."""
        self._servers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> list[dict[str, Answer]]:
        with traced("predict", request) as sent:
            attempts = self._attempts()
            while True:
                server = self._next_server(attempts)
                try:
                    with self._servers.connected(server) as transport:
                        return read_rows(transport.infer(replace(sent, seconds=attempts.seconds_left)), len(sent))
                except ServerUnavailable as error:
                    pause = attempts.again_after(server, error)
                time.sleep(pause)

    def _stream(self, request: Request) -> Iterator[tuple[str, Answer]]:
        with traced("stream", request) as sent:
            attempts, pid = self._attempts(), os.getpid()
            has_begun = False
            while True:
                server = self._next_server(attempts)
                try:
                    with (
                        self._servers.connected(server) as transport,
                        closing(transport.stream(replace(sent, seconds=attempts.seconds_left))) as responses,
                    ):
                        while (rows := next(responses, None)) is not None:
                            has_begun = True
                            for row in rows:
                                yield from read_row(row).items()
                            if os.getpid() != pid:
                                raise failure.forked_stream()
                        return
                except ServerUnavailable as error:
                    pause = attempts.again_after(server, error, has_begun)
                time.sleep(pause)

    def _attempts(self) -> Attempts[Transport]:
        attempts = Attempts(self._servers, self._timeout, self._retries)
        if self._servers.must_look_up() and (found := resolve(self._servers.given, look_up_seconds(self._timeout))):
            self._servers.replace(found)
        return attempts

    def _next_server(self, attempts: Attempts[Transport]) -> Server[Transport]:
        """The server to ask. One that was left out is first asked whether it is ready."""
        while True:
            server, must_prove = attempts.pick()
            if not must_prove:
                return server
            with server.transport.use() as transport:
                is_ready = transport.is_ready()
            self._servers.proved(server, is_ready)
            if is_ready:
                return server
