"""What `espalier tend` does again and again, beside the folder that a fleet of servers shares."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from build_tools.errors import BuildError, NotNowError
from build_tools.fleet.asking import Replica
from build_tools.fleet.requirement import Requirement
from build_tools.fleet.terms import FleetTerms
from build_tools.publishing.fleet_server import Fleet, open_fleet
from build_tools.repository.registry import Registry, read_registry
from build_tools.tending.apply import apply
from build_tools.tending.canary_judge import CanaryJudge
from build_tools.tending.compaction_process import CompactionProcess
from build_tools.tending.enough import lack
from build_tools.tending.fleet_watch import FleetWatch
from build_tools.tending.inbox import Inbox
from build_tools.tending.mend import Mending
from build_tools.tending.router_processes import routers_per_server
from build_tools.tending.said_once import SaidOnce
from build_tools.tending.withdraw import withdraw
from training.errors import one_line

_ROUND_SECONDS = 1.0  # between two rounds
_AGAIN_SECONDS = 30.0  # before another try
_MOST = 500  # characters of an error that is not our own


class Tending:
    """One repository, its fleet and its inbox. A step that fails says so once, and is tried again in the next round."""

    def __init__(
        self,
        repository: Path,
        fleet: Fleet,
        requirement: Requirement,
        inbox: Inbox | None,
        compaction: CompactionProcess | None,
        report: Callable[[str], None],
    ) -> None:
        """requirement: how many servers must be ready before anything is published. inbox, compaction: None leaves them
        to others. report: told what is done, and what is wrong.
        """
        self._repository = repository
        self._fleet = fleet
        self._requirement = requirement
        self._inbox = inbox
        self._compaction = compaction
        self._report = report
        self._watch = FleetWatch(report)
        self._judge = CanaryJudge(routers_per_server(repository))
        self._mending = Mending(repository, fleet, report)
        self._said = SaidOnce(report)
        self._not_before = 0.0  # of the next publish, in monotonic seconds

    def round(self) -> None:
        """Looks at everything once. Publishes at most one artefact, so that canaries are judged between two.

        Raises BuildError if registry.json is damaged or gone, and OSError if the folder is away: then there is nothing
        to tend.
        """
        servers = self._fleet.replicas.look()
        registry = read_registry(self._repository)
        self._watch.look(servers, registry.generation)
        self._step("canaries", lambda: self._judge_canaries(registry, servers))
        self._step("mending", lambda: self._mending.look(not lack(servers, self._requirement)))
        if self._inbox is not None and time.monotonic() >= self._not_before:
            inbox = self._inbox
            self._step("inbox", lambda: self._publish_next(inbox, servers))
        if self._compaction is not None:
            compaction = self._compaction
            self._step("compaction", lambda: compaction.look(registry))

    def _step(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
            self._said.right(name)
        except (BuildError, OSError) as error:
            self._said.wrong(name, str(error))
        except Exception as error:  # a fault in one step must not end the others
            self._said.wrong(name, f"{name}: {type(error).__name__}: {one_line(error):.{_MOST}}")

    def _judge_canaries(self, registry: Registry, servers: Sequence[Replica]) -> None:
        answering = {one.state.server: one.state for one in servers if one.state is not None}
        for verdict in self._judge.judge(registry, answering):
            if withdraw(verdict, self._repository, self._fleet, self._report):
                self._report(f"canary {verdict.version} of {verdict.task} is withdrawn: {verdict.reason}")

    def _publish_next(self, inbox: Inbox, servers: Sequence[Replica]) -> None:
        case = inbox.next_case()
        if case is None:
            return
        if lacking := lack(servers, self._requirement):
            raise BuildError(f"{case.name} waits: {lacking}")
        try:
            outcome = apply(case, self._repository, self._fleet, self._report)
        except NotNowError:
            self._not_before = time.monotonic() + _AGAIN_SECONDS
            raise
        case.close(outcome)
        if outcome.version is None:
            self._report(f"{case.name} is refused: {outcome.problem}")
        else:
            after = f", but {outcome.problem}" if outcome.problem else ""
            self._report(f"{case.name} is version {outcome.version} of {outcome.task}{after}")


def tend(
    repository: Path,
    terms: FleetTerms,
    inbox: Inbox | None,
    compaction: CompactionProcess | None,
    ended: threading.Event,
    report: Callable[[str], None],
) -> None:
    """Tends until `ended` is set; then what has begun is completed.

    Waits for a fleet that does not answer yet, a folder that is away, or whatever else is wrong, and says what.
    """
    said = SaidOnce(report)
    try:
        while not ended.is_set():
            try:
                with open_fleet(repository, terms, report) as fleet:
                    report(f"tends {repository}")
                    tending = Tending(repository, fleet, terms.requirement, inbox, compaction, report)
                    while not ended.is_set():
                        tending.round()
                        ended.wait(_ROUND_SECONDS)
            except (BuildError, OSError) as error:
                said.wrong("fleet", str(error))
                ended.wait(_ROUND_SECONDS)
    finally:
        if compaction is not None:
            compaction.end()
