"""Follows the shared folder: prepares what is proposed, adopts what is committed, drops what nobody asks for."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.repository.proposal import PROPOSAL
from build_tools.repository.registry import DRAIN_SECONDS, REGISTRY
from build_tools.repository.replica_state import Proposed
from build_tools.serving.backoff import backoff
from build_tools.serving.replica.errors import AwayError, NotHereError
from build_tools.serving.replica.generation import Generation, GenerationFile
from build_tools.serving.replica.own_triton import Models
from build_tools.serving.replica.standing import Standing

_LOOK_SECONDS = 0.2
# A proposal that has just gone may have been committed, with registry.json still as a network file system remembers it.
_GRACE_SECONDS = 1.0
_FIRST_PAUSE = 0.2  # between two attempts; it doubles
_LONGEST_WAIT = 1.0  # for files that are not here yet
_LONGEST_PAUSE = 30.0  # after a failure
_DOUBT_SECONDS = 0.5  # after which a Triton that has just died is known to be away
_SETTLE_EVERY = 60.0  # a compaction keeps earlier versions loaded for a while
_LOADING = "it is being loaded"
_AWAY = "tritonserver is being started again"


@dataclass
class _Goal:
    """A generation that is committed or proposed. waiting, refused: why it is not ready. again_at: next attempt."""

    generation: Generation
    ready: bool = False
    waiting: str = _LOADING
    refused: str = ""
    attempts: int = 0
    again_at: float = 0.0


@dataclass(frozen=True)
class _Adoption:
    generation: Generation
    at: float


class Follower:
    """A thread that follows one shared folder. `look` is one round of it."""

    def __init__(
        self,
        shared: Path,
        adopted: Generation,
        models: Models,
        restarts: Callable[[], int],
        changed: Callable[[], None],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """adopted: the generation with which Triton was started. restarts: how often Triton was started again.

        changed: called when the standing has changed. report: given one line for each event. clock: seconds.
        """
        self._proposal_file = GenerationFile(shared / PROPOSAL)
        self._committed_file = GenerationFile(shared / REGISTRY)
        self._models = models
        self._restarts = restarts
        self._changed = changed
        self._report = report
        self._clock = clock
        # The last one is in force. Batches in flight may still follow the others.
        self._adoptions = [_Adoption(adopted, -DRAIN_SECONDS)]
        self._goal: _Goal | None = None
        self._gone_since: float | None = None  # since when there is no file of the goal
        self._to_drop: Generation | None = None  # withdrawn or refused, and perhaps loaded still
        self._restarts_seen = restarts()
        self._is_settled = False  # what is loaded and linked is as it should be
        self._settle_at = 0.0
        self._settle_failed = 0
        self._settled_generation = adopted.number
        self._reported = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._standing = self._stand("", None)

    def standing(self) -> Standing:
        """Where this server stands. May be called from any thread."""
        return self._standing

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def end(self) -> None:
        """Begins nothing new from now on."""
        self._ends.set()

    def join(self) -> None:
        """Waits until what was begun is over. It is at once when Triton has ended."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Reads both files, and does what they ask for."""
        # The proposal first: a commit renames it to the other, and must not look like a withdrawal.
        proposal, _ = _read(self._proposal_file)
        committed, damage = _read(self._committed_file)
        if committed is None:
            damage = damage or f"{self._committed_file.path} is missing."
        self._notice_restart()
        is_behind = committed is not None and committed.sha256 != self._adopted.sha256
        if not damage:
            is_next = proposal is not None and proposal.number == self._adopted.number + 1
            wanted = committed if is_behind else proposal if is_next else None
            self._aim(wanted)
            if self._to_drop is not None:
                self._settle()
            if (goal := self._goal) is not None and wanted is not None:
                if self._is_due(goal, is_behind):
                    self._attempt(goal, committed, proposal)
                if is_behind and goal.ready and not self._ends.is_set():
                    self._adopt(goal)
                    self._tell(committed, proposal, damage)  # before the rest, because the publisher waits for it
        self._settle()
        self._tell(committed, proposal, damage)

    @property
    def _adopted(self) -> Generation:
        return self._adoptions[-1].generation

    def _notice_restart(self) -> None:
        """A Triton that was started again has loaded what the view says of the adopted generation, and no more."""
        restarts = self._restarts()
        if restarts == self._restarts_seen:
            return
        self._restarts_seen = restarts
        self._is_settled = False
        if self._goal is not None and self._goal.ready:
            self._goal = _Goal(self._goal.generation)

    def _aim(self, wanted: Generation | None) -> None:
        if wanted is not None:
            self._gone_since = None
            if self._goal is None or self._goal.generation.sha256 != wanted.sha256:
                self._leave_goal()
                self._goal = _Goal(wanted)
        elif self._goal is not None:
            if self._gone_since is None:
                self._gone_since = self._clock()
            if self._goal.refused or self._clock() - self._gone_since >= _GRACE_SECONDS:
                self._leave_goal()

    def _leave_goal(self) -> None:
        """What it has loaded goes before anything else is loaded: the next proposal may use its numbers again."""
        if self._goal is not None and self._goal.attempts and not self._goal.refused:
            self._drop(self._goal.generation)
        self._goal = None

    def _drop(self, generation: Generation) -> None:
        self._to_drop = generation
        self._is_settled = False

    def _is_due(self, goal: _Goal, is_committed: bool) -> bool:
        """A proposal that was refused is not tried again: its publisher withdraws it."""
        if goal.ready or (goal.refused and not is_committed) or self._to_drop is not None:
            return False
        return self._clock() >= goal.again_at

    def _attempt(self, goal: _Goal, committed: Generation | None, proposal: Generation | None) -> None:
        self._tell(committed, proposal, "")  # it may take a while
        restarts = self._restarts()
        longest = _LONGEST_WAIT
        goal.refused = ""
        try:
            # Asked first: of one that was up, and is up without a restart, every failure is its answer.
            if not self._models.is_up():
                raise AwayError(_AWAY)
            self._models.prepare(self._adopted.registry, goal.generation.registry)
        except (NotHereError, AwayError, OSError) as error:  # of files: a full disk, a folder that is away
            goal.waiting = str(error)
        except BuildError as error:
            if self._is_away(restarts):
                goal.waiting = _AWAY
            else:
                goal.waiting, goal.refused, longest = "", str(error), _LONGEST_PAUSE
                self._drop(goal.generation)
        else:
            goal.ready = self._restarts() == restarts
            goal.waiting = "" if goal.ready else _LOADING
        goal.again_at = self._clock() + backoff(_FIRST_PAUSE, goal.attempts, longest)
        goal.attempts += 1

    def _is_away(self, restarts: int) -> bool:
        """Whether an attempt failed because Triton died under it."""
        return self._ends.wait(_DOUBT_SECONDS) or self._restarts() != restarts or not self._models.is_up()

    def _adopt(self, goal: _Goal) -> None:
        self._models.put_in_force(goal.generation)
        self._adoptions.append(_Adoption(goal.generation, self._clock()))
        self._goal = None
        self._is_settled = False
        self._settle_at = 0.0
        self._report(f"generation {goal.generation.number} is adopted")

    def _settle(self) -> None:
        now = self._clock()
        while len(self._adoptions) > 1 and now - self._adoptions[1].at >= DRAIN_SECONDS:
            del self._adoptions[0]
            self._is_settled = False
        may_wait = self._is_settled or self._settle_failed
        if (may_wait and now < self._settle_at) or self._ends.is_set():
            return
        earlier = [one.generation.registry for one in self._adoptions[:-1]]
        coming = None if self._goal is None or self._to_drop is not None else self._goal.generation.registry
        try:
            self._models.settle(self._adopted.registry, earlier, coming)
        except (BuildError, OSError) as error:
            if not self._models.is_up():  # it is being started again
                self._settle_at, self._settle_failed = now + _LONGEST_WAIT, 1
                return
            pause = backoff(_FIRST_PAUSE, self._settle_failed, _LONGEST_PAUSE)
            self._settle_failed += 1
            self._settle_at = now + pause
            self._say_once(f"what is loaded cannot be settled, next attempt in {pause:g} s: {error}")
            return
        self._is_settled, self._settle_failed, self._to_drop = True, 0, None
        self._settle_at = now + _SETTLE_EVERY
        self._settled_generation = self._adoptions[0].generation.number

    def _tell(self, committed: Generation | None, proposal: Generation | None, damage: str) -> None:
        behind = damage
        if not behind and committed is not None and committed.sha256 != self._adopted.sha256:
            goal = self._goal if self._goal and self._goal.generation.sha256 == committed.sha256 else None
            behind = f"generation {committed.number}: {(goal and (goal.refused or goal.waiting)) or _LOADING}"
        standing = self._stand(behind, proposal)
        if standing != self._standing:
            self._standing = standing
            self._changed()
            self._say_once(_event(standing))

    def _stand(self, behind: str, proposal: Generation | None) -> Standing:
        adopted = self._adopted
        return Standing(
            adopted.number, adopted.sha256, self._settled_generation, behind, self._made_of(proposal), adopted.registry
        )

    def _made_of(self, proposal: Generation | None) -> Proposed | None:
        """Of a proposal that was withdrawn it tells as long as something of it may be loaded."""
        goal = self._goal
        if proposal is None or proposal.number <= self._adopted.number:  # left by a publisher that was killed
            gone = self._to_drop or (goal and goal.attempts and goal.generation)
            if not gone or gone.number <= self._adopted.number:
                return None
            return Proposed(generation=gone.number, sha256=gone.sha256, waiting="it is withdrawn, and being dropped")
        said = Proposed(generation=proposal.number, sha256=proposal.sha256)
        if goal is None or goal.generation.sha256 != proposal.sha256:
            return said.model_copy(update={"waiting": f"generation {proposal.number - 1} is not adopted here yet"})
        return said.model_copy(update={"ready": goal.ready, "refused": goal.refused, "waiting": goal.waiting})

    def _say_once(self, event: str) -> None:
        if event and event != self._reported:
            self._report(event)
            self._reported = event

    def _follow(self) -> None:
        while not self._ends.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # a replica that stops following would be behind for ever
                self._say_once(f"the shared folder cannot be followed: {type(error).__name__}: {error}")
                self._ends.wait(_LONGEST_WAIT)


def _read(file: GenerationFile) -> tuple[Generation | None, str]:
    """Returns what the file holds, and what is wrong with it."""
    try:
        return file.read(), ""
    except BuildError as error:
        return None, str(error)


def _event(standing: Standing) -> str:
    if standing.behind and not standing.behind.endswith(_LOADING):
        return standing.behind
    proposal = standing.proposal
    if proposal is None:
        return ""
    if proposal.refused:
        return f"the proposed generation {proposal.generation} is refused: {proposal.refused}"
    if proposal.waiting and proposal.waiting != _LOADING:
        return f"the proposed generation {proposal.generation} waits: {proposal.waiting}"
    return f"the proposed generation {proposal.generation} is ready" if proposal.ready else ""
