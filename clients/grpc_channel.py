"""The options of a gRPC channel: messages of any size, lost connections noticed, no proxy for this machine."""

import os

from clients import failure
from clients.address import Address
from clients.proxy import proxy_for

# Seconds. gRPC by default waits 20 s for a connection and up to 120 s between two attempts.
_CONNECT_SECONDS = 5.0
_RETRY_SECONDS = (0.1, 1.0)  # after the first failed attempt; at most
# A server ends a connection at the third ping without data between them (gRPC's "too_many_pings"), unless it is told
# otherwise, so a call of any length has at most three.
_LEAST_PING_SECONDS = 20.0
_PINGS = 3
_PING_TIMEOUT_SECONDS = 5.0

_owner: int | None = None  # the process that has used gRPC


def channel_target(address: Address) -> str:
    """What a channel connects to. Source: https://github.com/grpc/grpc/blob/master/doc/naming.md"""
    if address.ip is None:
        return address.target
    return f"ipv6:[{address.ip}]:{address.port}" if ":" in address.ip else f"ipv4:{address.ip}:{address.port}"


def channel_options(
    address: Address, timeout: float, connect_seconds: float | None = None
) -> list[tuple[str, int | str]]:
    """The options of a channel to this server, whose calls may take `timeout` seconds.

    connect_seconds: in which a connection must be made; 5 if left out.

    Source: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
    """
    first, most = _RETRY_SECONDS
    options: dict[str, int | str] = {
        # As tritonclient does: gRPC's default of 4 MB is less than 64 long texts with all scores.
        "grpc.max_receive_message_length": -1,
        "grpc.max_send_message_length": -1,
        # A channel that replaces another one opens a connection of its own.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.keepalive_time_ms": _ms(max(_LEAST_PING_SECONDS, timeout / _PINGS)),
        "grpc.keepalive_timeout_ms": _ms(_PING_TIMEOUT_SECONDS),
        "grpc.min_reconnect_backoff_ms": _ms(connect_seconds or _CONNECT_SECONDS),
        "grpc.initial_reconnect_backoff_ms": _ms(first),
        "grpc.max_reconnect_backoff_ms": _ms(most),
        "grpc.enable_http_proxy": int(proxy_for(address) is not None),
    }
    if address.ip is not None:  # the name that the server is asked by, and that its certificate must have
        options["grpc.default_authority"] = address.target
        if address.secure:
            options["grpc.ssl_target_name_override"] = address.host
    return list(options.items())


def check_no_fork() -> None:
    """Called before a channel is made. Raises RequestRejected if the parent of this process has used gRPC.

    gRPC's threads and locks do not survive a fork (https://github.com/grpc/grpc/blob/master/doc/fork_support.md).
    """
    global _owner
    if _owner not in (None, os.getpid()):
        raise failure.grpc_after_fork()
    _owner = os.getpid()


def _ms(seconds: float) -> int:
    return min(round(1000 * seconds), 2**31 - 1)
