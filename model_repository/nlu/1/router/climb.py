"""One batch on its way through the trunk and the branches that were asked for."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from router.answer_from_logits import Answer, read_answer
from router.bls import StoppingError, infer
from router.candidates import Candidates
from router.durations import Durations
from router.length_groups import length_groups
from router.padded_group import PaddedGroup
from router.padded_length import padded_length
from router.registry import Version
from router.result_cache import ResultCache
from router.row import Row, TaskAnswers, error_answers
from router.sequence_plan import SequencePlan
from router.trunk import States, Trunk, hidden_name

Packing = Mapping[int, int]  # row -> its sequence's place in a batch


class Climb:
    """Every call of trunk or branch is a piece of work for the pool; a call's end starts those that waited for it.

    tokens: how many went through the trunk. padding: how many of them were padding.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        plan: SequencePlan,
        trunk: Trunk,
        calls: ThreadPoolExecutor,
        cache: ResultCache,
        durations: Durations,
        candidates: Candidates,
    ) -> None:
        self.tokens = self.padding = 0
        self._rows = rows
        self._plan = plan
        self._trunk = trunk
        self._calls = calls
        self._cache = cache
        self._durations = durations
        self._candidates = candidates
        self._lengths = _lengths(plan)
        self._results: queue.SimpleQueue[tuple[str, TaskAnswers] | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._stopped = False

    def answers(self) -> Iterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers for the rows of one length group).

        Raises RuntimeError if the trunk fails, StoppingError if the server stops.
        """
        groups = [group for trunk in sorted(set(self._plan.trunks)) for group in self._groups(trunk)]
        self._submit(self._begin, groups)
        result: tuple[str, TaskAnswers] | Exception | None = None
        try:
            while (result := self._results.get()) is not None:
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            # The trunk failed, or the caller leaves early: what has not begun is left. What has is waited for: it asks
            # Triton about requests that are freed once they are answered.
            self._stopped = True
            while result is not None:
                result = self._results.get()

    def _groups(self, trunk: str) -> Iterator[list[int]]:
        """The length groups of one trunk's sequences."""
        own = [number for number, name in enumerate(self._plan.trunks) if name == trunk]
        for group in length_groups([self._lengths[number] for number in own]):
            yield [own[place] for place in group]

    def _begin(self, groups: Sequence[Sequence[int]]) -> None:
        for group in groups:
            self._submit(self._start, group)

    def _start(self, group: Sequence[int]) -> None:
        encodings = [self._plan.encodings[sequence] for sequence in group]
        batch = PaddedGroup.of(encodings, max(self._lengths[sequence] for sequence in group))
        places = self._plan.places_in(group)
        with self._lock:
            self.tokens += batch.tokens
            self.padding += batch.padding
        taps = {version.tap for version in places}
        self._climb(batch, places, {}, self._trunk.steps(list(taps)))

    def _climb(
        self, batch: PaddedGroup, places: Mapping[Version, Packing], below: States, steps: Sequence[Sequence[int]]
    ) -> None:
        """One step of the trunk, then the next one beside the branches that the step has reached."""
        if not any(self._is_waiting(row) for by_row in places.values() for row in by_row):
            return
        model = next(iter(places)).trunk  # a group is of one trunk
        try:
            states = self._trunk.run(model, batch.arrays, below, steps[0])
        except StoppingError:
            raise
        except Exception as error:
            self._give_up(error, {version: rows for version, rows in places.items() if version.tap >= steps[0][0]})
            return
        reached = [version for version in places if version.tap in steps[0]]
        if len(steps) > 1:
            self._submit(self._climb, batch, places, states, steps[1:])
        # Those first that somebody waits for.
        for version in sorted(self._durations.longest_first(reached), key=self._candidates.is_shadow):
            self._submit(self._answer, version, places[version], batch, states[hidden_name(version.tap)])

    def _answer(self, version: Version, places: Packing, batch: PaddedGroup, hidden: np.ndarray) -> None:
        places = {row: place for row, place in places.items() if self._is_waiting(row)}
        if not places:
            return
        begun = time.perf_counter()
        try:
            answers = self._compute(version, places, batch, hidden)
        except StoppingError:  # says nothing about the branch
            raise
        except Exception as error:  # whatever is wrong with one branch must not take the other tasks' answers along
            self._fail(version, places, f"the branch of {version.task} failed: {error}", time.perf_counter() - begun)
            return
        seconds = time.perf_counter() - begun
        self._durations.add(version, seconds)
        self._candidates.add(version, answers, errors=0, seconds=seconds)
        texts = {row: json.dumps(answer, ensure_ascii=False) for row, answer in answers.items()}
        for row, text in texts.items():
            self._cache.keep(self._rows[row], version, text)
        if not self._candidates.is_shadow(version):
            self._results.put((version.task, texts))

    def _give_up(self, error: Exception, unreached: Mapping[Version, Packing]) -> None:
        """What a trunk's failure means: no more than the loss of its branches, if others can be answered."""
        alone = len(set(self._plan.trunks)) == 1
        if alone and not all(self._candidates.is_candidate(version) for version in unreached):
            raise error
        for version, places in unreached.items():
            self._fail(version, places, f"the trunk of {version.task} failed: {error}", None)

    def _fail(self, version: Version, places: Packing, sentence: str, seconds: float | None) -> None:
        self._candidates.add(version, {}, errors=len(places), seconds=seconds)
        if not self._candidates.is_shadow(version):
            self._results.put((version.task, error_answers(dict.fromkeys(places, sentence))))

    def _compute(self, version: Version, places: Packing, batch: PaddedGroup, hidden: np.ndarray) -> dict[int, Answer]:
        """The branch's answers by row. Raises RuntimeError if it fails."""
        chosen = sorted(set(places.values()))
        logits = infer(version.model, version.number, batch.branch_inputs(hidden, chosen), ["logits"])["logits"]
        if not np.isfinite(logits).all():
            raise RuntimeError("its logits are no finite numbers")
        of = dict(zip(chosen, logits, strict=True))
        return {
            row: read_answer(version, self._rows[row], batch.encodings[place], of[place])
            for row, place in places.items()
        }

    def _is_waiting(self, row: int) -> bool:
        return not self._rows[row].caller.is_gone

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        """Called by a piece of work, which is itself unfinished until it has submitted all that follows it."""
        with self._lock:
            self._unfinished += 1
        try:
            self._calls.submit(self._do, work, *arguments)
        except BaseException:
            self._finish()
            raise

    def _do(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            if not self._stopped:
                work(*arguments)
        except Exception as error:
            self._results.put(error)
        except BaseException as error:  # a panic of Rust; lost here, it would leave the batch waiting for ever
            self._results.put(RuntimeError(f"{type(error).__name__}: {error}"))
        finally:
            self._finish()

    def _finish(self) -> None:
        with self._lock:
            self._unfinished -= 1
            finished = self._unfinished == 0
        if finished:
            self._results.put(None)


def _lengths(plan: SequencePlan) -> list[int]:
    """Of each sequence, padded; no more than some task of its trunk reads, for so many positions the encoder has."""
    most: dict[str, int] = {}
    for version in plan.places:
        most[version.trunk] = max(most.get(version.trunk, 0), version.max_length)
    return [
        padded_length(len(encoding.ids), most[trunk])
        for encoding, trunk in zip(plan.encodings, plan.trunks, strict=True)
    ]
