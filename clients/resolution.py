"""The servers behind a name: each of its addresses is one."""

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from threading import Thread
from typing import Any

from clients.address import Address
from clients.proxy import is_loopback, proxy_for

_Found = Sequence[tuple[Any, ...]]  # as getaddrinfo returns it

_MOST_SECONDS = 2.0  # that a request waits for a look-up

# The look-ups that are under way, by process, host and port. Callers share one: while a name server is silent, it would
# otherwise cost a thread for each request.
_asked: dict[tuple[int, str, int], Future[_Found]] = {}


def has_name(address: Address) -> bool:
    """Whether its host is a name that this client itself looks up. A proxy, if there is one, does that by itself."""
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return not is_loopback(address.host) and proxy_for(address) is None
    return False


def look_up_seconds(timeout: float) -> float:
    """Returns how long a request with this timeout waits for a look-up: the rest is for the servers known already."""
    return min(_MOST_SECONDS, timeout / 2)


def resolve(addresses: Iterable[Address], seconds: float) -> list[Address] | None:
    """Returns an address for each of a name's IP addresses; a name with one of them stays as it is.

    None if a name cannot be looked up now, or not in so many seconds: what is known already may be right still.
    """
    ends = time.monotonic() + seconds
    try:
        return [one for address in addresses for one in _expanded(address, _look_up(address, ends))]
    except OSError:
        return None


async def resolve_in_loop(addresses: Iterable[Address], seconds: float) -> list[Address] | None:
    """As resolve; the look-up does not hold up the event loop."""
    try:
        async with asyncio.timeout(seconds):
            return [one for address in addresses for one in _expanded(address, await _look_up_in_loop(address))]
    except OSError:
        return None


def _look_up_within(host: str, port: int, seconds: float) -> _Found:
    """As socket.getaddrinfo, which by itself may take half a minute to give a silent name server up.

    Raises TimeoutError after so many seconds, and socket.gaierror for a name that is not known.
    """
    place, own = (os.getpid(), host, port), Future[_Found]()
    found = _asked.setdefault(place, own)
    if found is own:
        try:
            Thread(target=_ask, args=[own, place], name="look-up", daemon=True).start()
        except RuntimeError:  # there can be no more threads, or the program ends: without a limit, then
            _ask(own, place)
    return found.result(max(0.0, seconds))


def _ask(found: Future[_Found], place: tuple[int, str, int]) -> None:
    _, host, port = place
    try:
        answer = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as error:
        del _asked[place]
        found.set_exception(error)
    else:
        del _asked[place]
        found.set_result(answer)


def _look_up(address: Address, ends: float) -> _Found:
    return _look_up_within(address.host, address.port, ends - time.monotonic()) if has_name(address) else []


async def _look_up_in_loop(address: Address) -> _Found:
    if not has_name(address):
        return []
    return await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)


def _expanded(address: Address, found: _Found) -> list[Address]:
    # The system puts the family that works here first. A server with an address of each counts once.
    ips = list(dict.fromkeys(str(place[0]) for family, *_, place in found if family == found[0][0]))
    return [replace(address, ip=ip) for ip in sorted(ips)] if len(ips) > 1 else [address]
