"""A real load balancer before a fleet: HAProxy, which sends gRPC and HTTP to the servers that are ready."""

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from child_process import child_process

HAPROXY = shutil.which("haproxy")

# Health is asked over HTTP for both, as `/v2/health/ready` says what the supervisor means by it. A busy server may take
# a while to answer a check; one that refuses two of them counts as gone, and is asked again soon.
_CONFIG = """
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 2s
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response 503
    option httpchk GET /v2/health/ready
    default-server inter 200ms fall 2 rise 1
frontend grpc
    bind 127.0.0.1:{grpc} proto h2
    default_backend grpc_servers
frontend http
    bind 127.0.0.1:{http}
    default_backend http_servers
backend grpc_servers
    balance roundrobin
{grpc_servers}
backend http_servers
    balance roundrobin
{http_servers}
"""


@dataclass(frozen=True)
class Ports:
    """Of one server on loopback, or of the balancer."""

    grpc: int
    http: int

    @property
    def grpc_url(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http}"


@contextmanager
def balancer(servers: Sequence[Ports], folder: Path) -> Iterator[Ports]:
    """HAProxy runs before these servers, which may come and go. folder: for its config."""
    own = free_ports()
    config = folder / "haproxy.cfg"
    over_grpc = [f"    server s{one.http} {one.grpc_url} proto h2 track http_servers/s{one.http}" for one in servers]
    over_http = [f"    server s{one.http} 127.0.0.1:{one.http} check" for one in servers]
    config.write_text(
        _CONFIG.format(
            grpc=own.grpc, http=own.http, grpc_servers="\n".join(over_grpc), http_servers="\n".join(over_http)
        )
    )
    with child_process([str(HAPROXY), "-db", "-q", "-f", config]):
        yield own


def free_ports() -> Ports:
    """Ports that are free now. Nobody holds them, so that a server can be started there again and again."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        return Ports(*(one.getsockname()[1] for one in held))
