"""One batch's climb through the trunk, from tap to tap, with the branches that start at each tap."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from router.answer_from_logits import Answer, read_scores, scores_of
from router.bls import infer
from router.candidates import Candidates
from router.delivery import Delivery
from router.equipment import Equipment
from router.length_groups import bounded, length_groups
from router.padded_group import PaddedGroup
from router.padded_length import padded_length
from router.registry import Fused, Version
from router.route import Places, Step, route
from router.row import Row, TaskAnswers
from router.sequence_plan import SequencePlan
from router.shares import shares
from router.states import States
from router.tracing import BatchTrace
from router.trunk import Reached
from router.unavailable import NotAskedError, NotLoadedError, StoppingError
from router.work_group import AbandonedError, WorkGroup


class Climb:
    """Each call of a trunk or a branch is a work item. When a call ends, it adds the calls that waited for it.

    fused: for each trunk that has one, its fused graph. by_tap: whether that is asked once for each tap, so that
    shallow tasks are answered earlier. tokens: how many go through the trunk. padding: how many of them are padding.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        plan: SequencePlan,
        equipment: Equipment,
        candidates: Candidates,
        trace: BatchTrace,
        fused: Mapping[str, Fused],
        by_tap: bool,
    ) -> None:
        self._rows = rows
        self._plan = plan
        self._with = equipment
        self._candidates = candidates
        self._trace = trace
        self._fused = fused
        self._by_tap = by_tap
        self._work: WorkGroup[tuple[str, TaskAnswers]] = WorkGroup(equipment.calls)
        self._delivery = Delivery(rows, equipment, candidates, self._work.put)
        lengths = [len(encoding.ids) for encoding in plan.encodings]
        self._lengths = _padded_lengths(plan, lengths)
        self._groups = [group for trunk_name in sorted(set(plan.trunks)) for group in self._cut(trunk_name)]
        self.tokens = sum(len(group) * self._padded_to(group) for group in self._groups)
        self.padding = self.tokens - sum(lengths)

    def answers(self) -> Iterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers for the rows of one length group).

        Raises RuntimeError if the trunk fails: UnavailableError if it is dead, or if Triton is being stopped.
        """
        return self._work.results(self._begin)

    def _cut(self, trunk: str) -> Iterator[Sequence[int]]:
        """Yields the length groups of one trunk's sequences."""
        own = [sequence for sequence, name in enumerate(self._plan.trunks) if name == trunk]
        for places in length_groups([self._lengths[sequence] for sequence in own]):
            group = [own[place] for place in places]
            yield from bounded(group, self._padded_to(group), self._with.trunk.most_tokens)

    def _padded_to(self, group: Sequence[int]) -> int:
        return max(self._lengths[sequence] for sequence in group)

    def _begin(self) -> None:
        for group in self._groups:
            self._work.add(self._start, group)

    def _start(self, sequences: Sequence[int]) -> None:
        group = PaddedGroup.of([self._plan.encodings[sequence] for sequence in sequences], self._padded_to(sequences))
        places = self._plan.places_in(sequences)
        fused = self._fused.get(next(iter(places)).trunk)  # a group belongs to one trunk
        first, *others = self._route(places, fused)
        for step in others:
            self._work.add(self._step, step, group, places)
        self._step(first, group, places)

    def _route(self, places: Mapping[Version, Places], fused: Fused | None) -> list[Step]:
        def is_waited_for(version: Version) -> bool:
            return not self._candidates.is_shadow(version)

        return route(places, fused, self._with.trunk.resumes, self._by_tap, is_waited_for)

    def _step(
        self,
        step: Step,
        group: PaddedGroup,
        places: Mapping[Version, Places],
        below: States | None = None,
        cause: Exception | None = None,
    ) -> None:
        """Takes one step up the trunk, then adds the next steps and the branches that this one has reached.

        below: hidden states at the step's start. cause: why the fused graph is not asked, although there is one.
        """
        waiting = self._waiting({version: places[version] for version in step.versions})
        if not waiting:
            return
        rows = {row for by_row in waiting.values() for row in by_row}
        begun = time.perf_counter()

        def fail(error: Exception) -> None:
            self._give_up(step, error, group, places, cause)

        try:
            with self._trace.step(f"{step.model} to {step.taps[-1]}", rows, tap=step.taps[-1], tokens=group.tokens):
                reached = self._with.breakers.call(
                    step.model,
                    step.number,
                    lambda: self._with.trunk.run(step, group, waiting, below),
                    self._in_its_place(fail),
                )
        except (StoppingError, AbandonedError):  # neither says anything about the model
            raise
        except Exception as error:
            fail(error)
            return
        seconds = time.perf_counter() - begun
        for following in step.then:
            assert following.start is not None
            self._work.add(self._step, following, group, places, reached.hidden.get(following.start), cause)
        self._count_depths(step, reached, waiting)
        # Shadows come last: nobody waits for them.
        for version in sorted(self._with.durations.longest_first(list(step.outside)), key=self._candidates.is_shadow):
            if version in waiting:
                self._work.add(self._branch, version, waiting[version], group, reached.hidden[version.tap])
        self._take_inside(step, group, waiting, reached, seconds)

    def _count_depths(self, step: Step, reached: Reached, waiting: Mapping[Version, Places]) -> None:
        gone_on = {place for following in step.then for place in following.sequences(waiting)}
        for tap, sequences in Counter(tap for place, tap in reached.depths.items() if place not in gone_on).items():
            self._with.metrics.count_depth(sequences, tap)

    def _take_inside(
        self, step: Step, group: PaddedGroup, waiting: Mapping[Version, Places], reached: Reached, seconds: float
    ) -> None:
        """Reads the answers of the versions that the step itself has computed."""
        shared = shares(seconds, reached, step.start, self._with.layers)
        self._with.metrics.count_trunk(shared.trunk)
        for version in sorted(reached.logits, key=self._candidates.is_shadow):
            try:
                answers = self._read(version, waiting[version], group, reached.logits[version])
            except Exception as error:  # an error in one branch must not cost the other tasks their answers
                self._delivery.fail(version, waiting[version], error, _branch_of(version), shared.branches[version])
            else:
                self._delivery.take(version, answers, shared.branches[version])

    def _branch(self, version: Version, places: Places, group: PaddedGroup, hidden: States) -> None:
        places = self._waiting({version: places}).get(version, {})
        if not places:
            return
        begun = time.perf_counter()

        def fail(error: Exception) -> None:
            self._delivery.fail(version, places, error, _branch_of(version), time.perf_counter() - begun)

        try:
            with self._trace.step(f"branch {version.task}", places, version=version.number, tokens=group.tokens):
                logits = self._call_branch(version, places, group, hidden, self._in_its_place(fail))
                answers = self._read(version, places, group, logits)
        except (StoppingError, AbandonedError):  # neither says anything about the branch
            raise
        except Exception as error:  # an error in one branch must not cost the other tasks their answers
            fail(error)
            return
        seconds = time.perf_counter() - begun
        self._with.durations.add(version, seconds)
        self._delivery.take(version, answers, seconds)

    def _give_up(
        self,
        step: Step,
        error: Exception,
        group: PaddedGroup,
        places: Mapping[Version, Places],
        cause: Exception | None,
    ) -> None:
        """Handles a failure of a step. What a fused graph cannot compute is tried on the trunk and the branch models.

        A failure of the trunk is raised, unless other tasks can still be answered. They can if they read another trunk,
        or if only candidates were waiting for this step.
        """
        unreached = {version: places[version] for version in step.versions}
        if step.fused is not None:
            for first in self._route(unreached, None):
                self._work.add(self._step, first, group, unreached, None, error)
            return
        if cause is not None and isinstance(error, NotAskedError | NotLoadedError):  # where there is a fused graph
            error = cause
        is_only_trunk = len(set(self._plan.trunks)) == 1
        if is_only_trunk and not all(self._candidates.is_candidate(version) for version in unreached):
            raise error
        for version, by_row in unreached.items():
            self._delivery.fail(version, by_row, error, f"the trunk of {version.task}")

    def _in_its_place(self, handle: Callable[[Exception], None]) -> Callable[[Exception], None]:
        """Returns what ends the item that runs here if its process dies while Triton still waits for it."""
        item = self._work.item()

        def end(error: Exception) -> None:
            try:
                handle(error)
            except Exception as fatal:
                self._work.put(fatal)
            item.abandon()

        return end

    def _call_branch(
        self,
        version: Version,
        places: Places,
        group: PaddedGroup,
        hidden: States,
        abandon: Callable[[Exception], None],
    ) -> States:
        """Returns the logits of the version's own model. Raises RuntimeError if the call fails."""
        chosen = sorted(set(places.values()))
        inputs = group.branch_inputs(hidden, chosen)
        logits = self._with.breakers.call(
            version.model,
            version.number,
            lambda: infer(version.model, version.number, inputs, ["logits"])["logits"],
            abandon,
        )
        return States(chosen, logits)

    def _read(self, version: Version, places: Places, group: PaddedGroup, logits: States) -> dict[int, Answer]:
        """Returns the version's answers by row. Raises RuntimeError if a logit is not finite."""
        if not np.isfinite(logits.array).all():
            raise RuntimeError("its logits are not finite numbers")
        scores_at = dict(zip(logits.places, scores_of(version, logits.array), strict=True))
        return {
            row: read_scores(version, self._rows[row], group.encodings[place], scores_at[place])
            for row, place in places.items()
        }

    def _waiting(self, places: Mapping[Version, Places]) -> dict[Version, Places]:
        """Returns the rows for whose answers somebody waits, and the versions that have any."""
        asked = {row for by_row in places.values() for row in by_row}
        gone = {row for row in asked if self._rows[row].caller.is_gone}
        if not gone:
            return dict(places)
        left = {
            version: {row: place for row, place in by_row.items() if row not in gone}
            for version, by_row in places.items()
        }
        return {version: by_row for version, by_row in left.items() if by_row}


def _branch_of(version: Version) -> str:
    return f"the branch of {version.task}"


def _padded_lengths(plan: SequencePlan, lengths: Sequence[int]) -> list[int]:
    """Returns each sequence's padded length: at most the longest maximum length among its trunk's tasks.

    The encoder has no positions beyond that.
    """
    most: dict[str, int] = {}
    for version in plan.sequences:
        most[version.trunk] = max(most.get(version.trunk, 0), version.max_length)
    return [padded_length(length, most[trunk]) for length, trunk in zip(lengths, plan.trunks, strict=True)]
