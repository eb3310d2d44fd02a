"""The interface of a transport, and the choice between gRPC and HTTP."""

import codecs
import importlib
from collections.abc import AsyncGenerator, Generator
from typing import Protocol

from clients.address import Address
from clients.request import Request
from clients.terms import Terms

# Both transports import their module only when chosen: gRPC users need not wait for the HTTP stack to load.

Rows = list[str] | list[bytes]  # JSON texts of the output `result`, one per text of the request


class Transport(Protocol):
    """A blocking transport, which threads can share. All methods raise EspalierError."""

    def infer(self, request: Request) -> Rows: ...

    def stream(self, request: Request) -> Generator[Rows, None, None]: ...

    def is_ready(self) -> bool:
        """Asks the server, for a second at most. True also if it does not know the question. Raises nothing."""
        ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """A transport for asyncio, which belongs to the event loop that opened it. All methods raise EspalierError."""

    async def infer(self, request: Request) -> Rows: ...

    def stream(self, request: Request) -> AsyncGenerator[Rows, None]: ...

    async def is_ready(self) -> bool: ...

    async def close(self) -> None: ...


def load_transport(address: Address) -> None:
    """Imports what requests to `address` need. Call it when a client is made.

    A thread's first request may not import: a process that is forked off meanwhile could never import that module.
    """
    importlib.import_module(f"clients.{address.transport}_transport")
    codecs.lookup("idna")  # which looking up a host's name imports


def open_transport(address: Address, terms: Terms) -> Transport:
    """Returns a transport, which connects at its first request."""
    if address.transport == "http":
        from clients.http_transport import HttpTransport

        return HttpTransport(address, terms)
    from clients.grpc_transport import GrpcTransport

    return GrpcTransport(address, terms)


def open_async_transport(address: Address, terms: Terms) -> AsyncTransport:
    """Returns a transport, which connects at its first request. Must be called with an event loop running."""
    if address.transport == "http":
        from clients.http_transport import AsyncHttpTransport

        return AsyncHttpTransport(address, terms)
    from clients.grpc_transport import AsyncGrpcTransport

    return AsyncGrpcTransport(address, terms)
