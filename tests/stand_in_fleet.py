"""Servers that only answer at /state, over real HTTP, and say what a replica of a shared folder would say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from threading import Thread
from typing import Any

from build_tools.repository.control_key import CONTROL_HEADER, read_control_key
from build_tools.repository.proposal import PROPOSAL, digest
from build_tools.repository.registry import REGISTRY
from build_tools.repository.replica_state import Proposed, ReplicaState
from espalier_json import parse_json


@dataclass
class StandIn:
    """A replica that follows a folder at once, unless it is told otherwise.

    proposal: fields of what it says of a proposal. adopts: whether it follows what is committed. late: asks before it
    sees a proposal. away: asks before it answers anything but a closed connection. says: fields of its state. status,
    body: of its answer, in place of a state. asked: how often it was.
    """

    folder: Path
    name: str = "stand-in"
    proposal: dict[str, Any] = field(default_factory=lambda: {"ready": True})
    adopts: bool = True
    late: int = 0
    away: int = 0
    says: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    body: str | None = None
    asked: int = 0
    seen: list[str] = field(default_factory=list)
    on_asked: Callable[[], None] = lambda: None
    _adopted: tuple[int, str] | None = None

    def state(self) -> ReplicaState:
        """What it says now."""
        committed = (self.folder / REGISTRY).read_bytes()
        if self._adopted is None or self.adopts:
            self._adopted = parse_json(committed)["generation"], digest(committed)
        generation, sha256 = self._adopted
        stated = {"server": self.name, "ready": True, "generation": generation, "sha256": sha256, "settled": generation}
        return ReplicaState.model_validate(stated | {"proposal": self._proposed()} | self.says)

    def _proposed(self) -> Proposed | None:
        try:
            content = (self.folder / PROPOSAL).read_bytes()
        except FileNotFoundError:
            return None
        if self.late > 0:
            self.late -= 1
            return None
        if digest(content) not in self.seen:
            self.seen.append(digest(content))
        return Proposed(generation=parse_json(content)["generation"], sha256=digest(content), **self.proposal)


@contextmanager
def answering(
    stand_in: StandIn, host: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None
) -> Iterator[str]:
    """Yields host:port, where it answers. tls: with which it does so over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            stand_in.asked += 1
            stand_in.on_asked()
            if stand_in.away > 0:
                stand_in.away -= 1
                self.close_connection = True
                return
            knows = self.headers.get(CONTROL_HEADER) == read_control_key(stand_in.folder)
            status = stand_in.status if knows and self.path == "/state" else 403
            body = (stand_in.state().model_dump_json() if stand_in.body is None else stand_in.body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            with suppress(OSError):  # the other side has gone, or trusts no certificate of the tests
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
