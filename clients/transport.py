"""What the clients need from a transport, and the choice between the two there are."""

from collections.abc import AsyncGenerator, Iterator
from typing import Protocol

from clients.address import Address
from clients.request import Request
from clients.terms import Terms

# Both transports import their module only when chosen: gRPC users need not wait for the HTTP stack to load.

Rows = list[str] | list[bytes]  # JSON texts of the output `result`, one per text of the request


class Transport(Protocol):
    """Blocking; safe to share between threads. All methods raise EspalierError."""

    def infer(self, request: Request) -> Rows: ...

    def stream(self, request: Request) -> Iterator[Rows]: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """For asyncio; belongs to the event loop that runs when it is opened. All methods raise EspalierError."""

    async def infer(self, request: Request) -> Rows: ...

    def stream(self, request: Request) -> AsyncGenerator[Rows, None]: ...

    async def close(self) -> None: ...


def open_transport(address: Address, terms: Terms) -> Transport:
    """Connects at the first request, not here."""
    if address.transport == "http":
        from clients.http_transport import HttpTransport

        return HttpTransport(address, terms)
    from clients.grpc_transport import GrpcTransport

    return GrpcTransport(address, terms)


def open_async_transport(address: Address, terms: Terms) -> AsyncTransport:
    """Must be called with an event loop running. Connects at the first request, not here."""
    if address.transport == "http":
        from clients.http_transport import AsyncHttpTransport

        return AsyncHttpTransport(address, terms)
    from clients.grpc_transport import AsyncGrpcTransport

    return AsyncGrpcTransport(address, terms)
