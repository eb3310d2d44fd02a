"""The servers of a fleet, asked side by side as often as somebody waits for them."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain
from pathlib import Path
from typing import Self

from build_tools.errors import BuildError
from build_tools.fleet.asking import ASK_SECONDS, Asker, Replica
from build_tools.fleet.errors import TooFewServersError
from build_tools.repository.proposal import digest
from build_tools.repository.registry import REGISTRY, parse_registry
from clients.address import Address
from clients.resolution import resolve

_LOOK_UP_SECONDS = 2.0  # between two look-ups of names: servers come and go while somebody waits
_AT_ONCE = 32  # servers that are asked side by side
_TIMES = 3  # one address is asked, to see whether several servers are behind it


class Replicas:
    """The servers at some addresses. Names are looked up again and again; each address behind one is a server."""

    def __init__(self, addresses: Iterable[Address], control_key: str) -> None:
        """control_key: of the repository that they serve."""
        self._behind = {address: [address] for address in addresses}  # of each name, the servers that it last meant
        self._key = control_key
        self._look_up_at = 0.0
        self._askers: dict[Address, Asker] = {}
        self._asked: dict[Address, Future[Replica]] = {}
        self._last: dict[Address, Replica] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fleet")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for asker in self._askers.values():
            asker.close()

    def look(self, patience: float = ASK_SECONDS) -> list[Replica]:
        """Asks each server that is not being asked, and returns what each has said last, in the order of the addresses.

        patience: seconds to wait for answers; one that is slow does not hold up the others. A server with two addresses
        counts once.
        """
        self._look_up()
        for address, asker in self._askers.items():
            if address not in self._asked:
                self._asked[address] = self._pool.submit(asker.ask)
        wait(self._asked.values(), timeout=patience)
        for address, asked in list(self._asked.items()):
            if asked.done():
                self._last[address] = asked.result()
                del self._asked[address]
        return list(_distinct(self._last.get(address) or _unheard(address) for address in self._askers))

    def check(self, repository: Path) -> None:
        """Checks, before anything is changed, that the servers serve this folder.

        Raises BuildError if none answers, if one serves another repository or a copy of this one, or if an address
        leads to several servers, as a load balancer's does.
        """
        self._look_up()
        asked = {
            address: [self._pool.submit(asker.ask, True) for _ in range(_TIMES)]
            for address, asker in self._askers.items()
        }
        found = {address: [one.result() for one in asked_for] for address, asked_for in asked.items()}
        content = (repository / REGISTRY).read_bytes()  # once: another command may replace it meanwhile
        committed, sha256 = parse_registry(content, repository / REGISTRY).generation, digest(content)
        for replica in (one for answers in found.values() for one in answers):
            if replica.is_foreign:
                raise BuildError(f"{replica.name} is not of this fleet: {replica.problem}.")
            state = replica.state
            if state and (state.generation > committed or (state.generation == committed and state.sha256 != sha256)):
                raise BuildError(
                    f"{replica.name} is not of this fleet: it serves a copy of {repository}, which this command would "
                    "not change."
                )
        for answers in found.values():
            servers = {one.state.server for one in answers if one.state}
            if len(servers) > 1:
                raise BuildError(
                    f"{answers[0].name} leads to several servers ({', '.join(sorted(servers))}), as a load balancer "
                    "does: give the address of each server, or a name that resolves to all of them."
                )
        if not any(one.state for answers in found.values() for one in answers):
            raise no_answer([answers[0] for answers in found.values()])

    def _look_up(self) -> None:
        if time.monotonic() < self._look_up_at:
            return
        self._look_up_at = time.monotonic() + _LOOK_UP_SECONDS
        for given, known in self._behind.items():
            # While a name cannot be looked up, what it meant stays: the bare name would count as one server.
            self._behind[given] = resolve([given], ASK_SECONDS) or known
        addresses = list(chain.from_iterable(self._behind.values()))
        for gone in self._askers.keys() - set(addresses):
            self._askers.pop(gone).close()
            self._last.pop(gone, None)
            self._asked.pop(gone, None)
        self._askers = {address: self._askers.get(address) or Asker(address, self._key) for address in addresses}


def no_answer(replicas: Iterable[Replica]) -> TooFewServersError:
    """Returns the error for a fleet of which no server answers."""
    said = "; ".join(f"{replica.name}: {replica.problem}" for replica in replicas)
    return TooFewServersError(
        f"no server of the fleet answers ({said}): start them with `espalier serve --replica`, give their addresses as "
        "--fleet, or leave --fleet out if none runs."
    )


def _unheard(address: Address) -> Replica:
    return Replica(address, problem="it has not answered yet")


def _distinct(replicas: Iterable[Replica]) -> Iterator[Replica]:
    seen = set()
    for replica in replicas:
        if replica.state is None:
            yield replica
        elif replica.state.server not in seen:
            seen.add(replica.state.server)
            yield replica
