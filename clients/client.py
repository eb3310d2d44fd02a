"""The blocking client."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Self

from clients import failure
from clients.address import parse_address
from clients.answer import Answer, read_row, read_rows
from clients.credentials import Credentials, File
from clients.errors import SUSPECT_CONNECTION
from clients.renewable import Renewable
from clients.request import Request, single_request, split_requests
from clients.terms import Terms
from clients.tracing import traced
from clients.transport import Transport, load_transport, open_transport


class Client:
    """Asks the router of one server. Threads can share a client.

    url: host[:port] or grpc://host[:port] for gRPC, http://host[:port] for HTTP; grpcs:// and https:// over TLS.
    timeout: seconds for one request; over HTTP for each wait on the socket. A long list is sent in several requests,
        and each may take that long. After a timeout the client opens a new connection, as the old one may be lost
        without a sign.
    bulk: the requests yield to all others, as a nightly job should. Streams over HTTP do not.
    key: this client's key, if the server asks for one.
    ca: PEM file of the authority that signed the server's certificate; the system's authorities if left out.
    cert: PEM files of this client's certificate and its private key, if the server asks for a certificate. A client
        reads them when it connects for the first time.

    A forked process opens its own connections over HTTP. gRPC's library does not survive a fork, so over gRPC a forked
    process gets RequestRejected if its parent has asked before.

    Every method raises RequestRejected if the request is wrong, ServerUnavailable if the server cannot answer now, and
    ServerFailed if it failed on the request. A task that could not answer raises nothing: its Answer has `error` set.
    """

    def __init__(
        self,
        url: str = "localhost:8001",
        timeout: float = 30.0,
        bulk: bool = False,
        *,
        key: str | None = None,
        ca: File | None = None,
        cert: tuple[File, File] | None = None,
    ) -> None:
        address, terms = parse_address(url), Terms(timeout, bulk, Credentials.of(key, ca, cert))
        terms.credentials.check_for(address)
        load_transport(address)
        self._transport = Renewable[Transport](lambda: open_transport(address, terms), lambda one: one.close())

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
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> list[dict[str, Answer]]:
        with self._transport.use() as transport, self._renewed_if_lost(transport), traced("predict", request) as sent:
            return read_rows(transport.infer(sent), len(sent))

    def _stream(self, request: Request) -> Iterator[tuple[str, Answer]]:
        pid = os.getpid()
        with (
            self._transport.use() as transport,
            self._renewed_if_lost(transport),
            traced("stream", request) as sent,
            closing(transport.stream(sent)) as responses,
        ):
            while (rows := next(responses, None)) is not None:
                for row in rows:
                    yield from read_row(row).items()
                if os.getpid() != pid:
                    raise failure.forked_stream()

    @contextmanager
    def _renewed_if_lost(self, transport: Transport) -> Iterator[None]:
        """Makes later requests open a new connection if this one seems to be lost, or mixes up answers."""
        try:
            yield
        except SUSPECT_CONNECTION:
            self._transport.renew(transport)
            raise
