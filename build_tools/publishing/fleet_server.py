"""Several servers on one repository, as publishing changes it: they agree before anything is in force."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.fleet.asking import Replica
from build_tools.fleet.errors import TooFewServersError
from build_tools.fleet.replicas import Replicas, no_answer
from build_tools.fleet.requirement import Requirement
from build_tools.fleet.standing import (
    has_adopted,
    has_prepared,
    has_settled,
    refusal,
    why_not_adopted,
    why_not_prepared,
)
from build_tools.fleet.terms import FleetTerms
from build_tools.publishing.running_server import NoServer
from build_tools.repository.control_key import needed_control_key
from build_tools.repository.proposal import commit_proposal, withdraw_proposal, write_proposal
from build_tools.repository.registry import Registry
from build_tools.repository.serving_lock import not_served

_LOOK_SECONDS = 0.1  # between two looks at all servers
_SLOW_SECONDS = 0.3  # that a look waits for a server that does not answer
_SAID_AFTER_SECONDS = 5.0  # of waiting, and then as often
_ADOPT_SECONDS = 30.0  # for the required servers to follow what is committed


@contextmanager
def open_fleet(repository: Path, terms: FleetTerms, report: Callable[[str], None]) -> Iterator["Fleet"]:
    """Yields the servers of a fleet that serve a repository.

    Raises BuildError if none answers, if one serves another repository, or if a server on this machine that is not
    `espalier serve --replica` has it open: its routers would follow a registry whose versions it has not loaded.
    """
    key = needed_control_key(repository)
    with not_served(repository, report):
        pass
    with Replicas(terms.addresses, key) as replicas:
        replicas.check(repository)
        yield Fleet(replicas, terms.requirement, terms.patience, report)


class Fleet(NoServer):
    """Nothing is loaded from here: each server has its own Triton load what the registry names.

    A registry is proposed, prepared and proved by the required servers, and then committed by one rename.
    """

    proves = True

    def __init__(
        self, replicas: Replicas, requirement: Requirement, patience: float, report: Callable[[str], None]
    ) -> None:
        """patience: seconds in which the required servers must have a proposal ready. report: told who is awaited."""
        self.replicas = replicas
        self._requirement = requirement
        self._patience = patience
        self._report = report

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        """See Server. Raises BuildError, and nothing is changed, if a server refuses it or too few are ready in time.

        Servers that do not have it when it is committed follow by themselves; they are reported.
        """
        try:
            sha256 = write_proposal(repository, registry)
            self._wait_until_prepared(registry.generation, sha256)
            commit_proposal(repository)
        except BaseException:
            withdraw_proposal(repository)
            raise
        try:
            self._wait_until_adopted(registry.generation)
        except (BuildError, KeyboardInterrupt) as error:  # it is in force: what is left is to say so
            why = str(error) or "interrupted"
            self._report(f"generation {registry.generation} is committed, and not waited for any longer ({why})")

    def has_left(self, generation: int) -> bool:
        """See Server. A server that does not answer may still need them."""
        return all(has_settled(replica, generation) for replica in self.replicas.look())

    def _wait_until_prepared(self, generation: int, sha256: str) -> None:
        def enough(found: list[Replica]) -> bool:
            refused = [f"{one.name} refuses it: {why}" for one in found if (why := refusal(one, sha256))]
            if refused:
                raise BuildError("; ".join(refused))
            return sum(has_prepared(one, sha256) for one in found) >= self._requirement.needed(len(found))

        def awaited(found: list[Replica]) -> str:
            late = (one for one in found if not has_prepared(one, sha256))
            return "; ".join(f"{one.name}: {why_not_prepared(one, sha256)}" for one in late)

        done, found = self._wait(self._patience, enough, awaited)
        if done:
            return
        if not any(one.state for one in found):
            raise no_answer(found)
        ready, needed = sum(has_prepared(one, sha256) for one in found), self._requirement.needed(len(found))
        raise TooFewServersError(
            f"after {self._patience:g} s {ready} of {len(found)} servers have generation {generation} ready, and "
            f"{needed} must (--require, --patience): {awaited(found)}"
        )

    def _wait_until_adopted(self, generation: int) -> None:
        """It is committed, so a server that does not follow is told and no error."""

        def enough(found: list[Replica]) -> bool:
            return sum(has_adopted(one, generation) for one in found) >= self._requirement.needed(len(found))

        _, found = self._wait(min(self._patience, _ADOPT_SECONDS), enough)
        late = [f"{one.name} ({why_not_adopted(one)})" for one in found if not has_adopted(one, generation)]
        if late:
            self._report(f"these servers follow by themselves, as soon as they can: {', '.join(late)}")

    def _wait(
        self,
        seconds: float,
        enough: Callable[[list[Replica]], bool],
        awaited: Callable[[list[Replica]], str] | None = None,
    ) -> tuple[bool, list[Replica]]:
        """Looks at all servers until it is enough. Returns whether it was, and what they said last.

        awaited: says in words what is waited for, which is reported now and then.
        """
        start = time.monotonic()
        say_at = start + _SAID_AFTER_SECONDS
        while True:
            found = self.replicas.look(_SLOW_SECONDS)
            now = time.monotonic()
            if enough(found):
                return True, found
            if now >= start + seconds:
                return False, found
            if awaited is not None and now >= say_at:
                self._report(f"waiting: {awaited(found)}")
                say_at = now + _SAID_AFTER_SECONDS
            time.sleep(_LOOK_SECONDS)
