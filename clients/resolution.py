"""The servers behind a name: each of its addresses is one."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from clients.address import Address
from clients.proxy import is_loopback, proxy_for

_Found = Sequence[tuple[Any, ...]]  # as getaddrinfo returns it


def has_name(address: Address) -> bool:
    """Whether its host is a name that this client itself looks up. A proxy, if there is one, does that by itself."""
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return not is_loopback(address.host) and proxy_for(address) is None
    return False


def resolve(addresses: Iterable[Address]) -> list[Address] | None:
    """Returns an address for each of a name's IP addresses; a name with one of them stays as it is.

    None if a name cannot be looked up now: what is known already may be right still.
    """
    try:
        return [one for address in addresses for one in _expanded(address, _look_up(address))]
    except OSError:
        return None


async def resolve_in_loop(addresses: Iterable[Address]) -> list[Address] | None:
    """As resolve; the look-up does not hold up the event loop."""
    try:
        return [one for address in addresses for one in _expanded(address, await _look_up_in_loop(address))]
    except OSError:
        return None


def _look_up(address: Address) -> _Found:
    if not has_name(address):
        return []
    return socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)


async def _look_up_in_loop(address: Address) -> _Found:
    if not has_name(address):
        return []
    return await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)


def _expanded(address: Address, found: _Found) -> list[Address]:
    # The system puts the family that works here first. A server with an address of each counts once.
    ips = list(dict.fromkeys(str(place[0]) for family, *_, place in found if family == found[0][0]))
    return [replace(address, ip=ip) for ip in sorted(ips)] if len(ips) > 1 else [address]
