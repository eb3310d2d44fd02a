"""One batch's climb through the trunk, from tap to tap, with the branches that start at each tap."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from router.answer_from_logits import Answer, read_answer
from router.answered_labels import answered_labels
from router.bls import NEWEST, infer
from router.candidates import Candidates
from router.equipment import Equipment
from router.hidden_name import hidden_name
from router.length_groups import bounded, length_groups
from router.padded_group import PaddedGroup
from router.padded_length import padded_length
from router.registry import Version
from router.row import Row, TaskAnswers, error_answers
from router.sequence_plan import SequencePlan
from router.tracing import BatchTrace
from router.trunk import States
from router.unavailable import NotAskedError, NotLoadedError, StoppingError, UnavailableError
from router.work_group import AbandonedError, WorkGroup

_ID_SHOWN = 100  # characters

Places = Mapping[int, int]  # row -> its sequence's place in a length group


class Climb:
    """Each call of a trunk or a branch is a work item. When a call ends, it adds the calls that waited for it.

    tokens: how many go through the trunk. padding: how many of them are padding.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        plan: SequencePlan,
        equipment: Equipment,
        candidates: Candidates,
        trace: BatchTrace,
    ) -> None:
        self._rows = rows
        self._plan = plan
        self._with = equipment
        self._candidates = candidates
        self._trace = trace
        self._work: WorkGroup[tuple[str, TaskAnswers]] = WorkGroup(equipment.calls)
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
        taps = {version.tap for version in places}
        self._step(group, places, {}, self._with.trunk.steps(list(taps)))

    def _step(
        self, group: PaddedGroup, places: Mapping[Version, Places], below: States, steps: Sequence[Sequence[int]]
    ) -> None:
        """Takes one step up the trunk, then adds the next step and the branches that this one has reached."""
        if not any(self._is_waiting(row) for by_row in places.values() for row in by_row):
            return
        model = next(iter(places)).trunk  # a group belongs to one trunk
        unreached = {version: rows for version, rows in places.items() if version.tap >= steps[0][0]}
        rows = {row for by_row in places.values() for row in by_row}
        try:
            with self._trace.step(f"{model} to {steps[0][-1]}", rows, tap=steps[0][-1], tokens=group.tokens):
                states = self._with.breakers.call(
                    model,
                    NEWEST,
                    lambda: self._with.trunk.run(model, group.arrays, below, steps[0]),
                    self._in_its_place(lambda error: self._give_up(error, unreached)),
                )
        except (StoppingError, AbandonedError):
            raise
        except Exception as error:
            self._give_up(error, unreached)
            return
        reached = [version for version in places if version.tap in steps[0]]
        if len(steps) > 1:
            self._work.add(self._step, group, places, states, steps[1:])
        else:
            self._with.metrics.count_depth(len(group.encodings), steps[0][-1])
        # Shadows come last: nobody waits for them.
        for version in sorted(self._with.durations.longest_first(reached), key=self._candidates.is_shadow):
            self._work.add(self._answer, version, places[version], group, states[hidden_name(version.tap)])

    def _answer(self, version: Version, places: Places, group: PaddedGroup, hidden: np.ndarray) -> None:
        places = {row: place for row, place in places.items() if self._is_waiting(row)}
        if not places:
            return
        begun = time.perf_counter()

        def fail(error: Exception) -> None:
            self._fail(version, places, error, f"the branch of {version.task}", time.perf_counter() - begun)

        try:
            with self._trace.step(f"branch {version.task}", places, version=version.number, tokens=group.tokens):
                answers = self._compute(version, places, group, hidden, self._in_its_place(fail))
        except (StoppingError, AbandonedError):  # neither says anything about the branch
            raise
        except Exception as error:  # an error in one branch must not cost the other tasks their answers
            fail(error)
            return
        seconds = time.perf_counter() - begun
        self._with.durations.add(version, seconds)
        labels = answered_labels(version, answers.values())
        self._with.metrics.count_answers(version, len(answers), labels, seconds)
        self._candidates.add(version, answers, errors=0, seconds=seconds)
        texts = {row: json.dumps(answer, ensure_ascii=False) for row, answer in answers.items()}
        for row, text in texts.items():
            self._with.cache.keep(self._rows[row], version, text)
        if not self._candidates.is_shadow(version):
            self._work.put((version.task, texts))

    def _give_up(self, error: Exception, unreached: Mapping[Version, Places]) -> None:
        """Handles a failure of the trunk: raises it, unless other tasks can still be answered.

        They can if they read another trunk, or if only candidates were waiting for this step.
        """
        is_only_trunk = len(set(self._plan.trunks)) == 1
        if is_only_trunk and not all(self._candidates.is_candidate(version) for version in unreached):
            raise error
        for version, places in unreached.items():
            self._fail(version, places, error, f"the trunk of {version.task}", None)

    def _fail(self, version: Version, places: Places, error: Exception, part: str, seconds: float | None) -> None:
        """Says that `part` could not be computed. seconds: how long the branch's call took, if it was called."""
        is_unavailable = isinstance(error, UnavailableError)
        self._with.metrics.count_errors(version, len(places), "unavailable" if is_unavailable else "failed")
        if not isinstance(error, NotAskedError | NotLoadedError):  # they say nothing about this version
            self._candidates.add(version, {}, errors=len(places), seconds=seconds)
        sentence = f"{part} cannot answer now, ask again: {error}" if is_unavailable else f"{part} failed: {error}"
        self._with.failures.add(version, len(places), sentence, (self._rows[row].caller.id for row in places))
        if not self._candidates.is_shadow(version):
            sentences = {row: self._for_caller(sentence, row) for row in places}
            self._work.put((version.task, error_answers(sentences, is_unavailable)))

    def _for_caller(self, sentence: str, row: int) -> str:
        """Returns the sentence with the request's id, by which the log can be searched."""
        request = self._rows[row].caller.id
        return f"{sentence} (request {request[:_ID_SHOWN]})" if request else sentence

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

    def _compute(
        self,
        version: Version,
        places: Places,
        group: PaddedGroup,
        hidden: np.ndarray,
        abandon: Callable[[Exception], None],
    ) -> dict[int, Answer]:
        """Returns the version's answers by row. Raises RuntimeError if the call fails or a logit is not finite."""
        chosen = sorted(set(places.values()))
        inputs = group.branch_inputs(hidden, chosen)
        logits = self._with.breakers.call(
            version.model,
            version.number,
            lambda: infer(version.model, version.number, inputs, ["logits"])["logits"],
            abandon,
        )
        if not np.isfinite(logits).all():
            raise RuntimeError("its logits are not finite numbers")
        logits_at = dict(zip(chosen, logits, strict=True))
        return {
            row: read_answer(version, self._rows[row], group.encodings[place], logits_at[place])
            for row, place in places.items()
        }

    def _is_waiting(self, row: int) -> bool:
        return not self._rows[row].caller.is_gone


def _padded_lengths(plan: SequencePlan, lengths: Sequence[int]) -> list[int]:
    """Returns each sequence's padded length: at most the longest maximum length among its trunk's tasks.

    The encoder has no positions beyond that.
    """
    most: dict[str, int] = {}
    for version in plan.sequences:
        most[version.trunk] = max(most.get(version.trunk, 0), version.max_length)
    return [padded_length(length, most[trunk]) for length, trunk in zip(lengths, plan.trunks, strict=True)]
