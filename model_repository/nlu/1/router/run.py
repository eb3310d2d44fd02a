"""One batch on its way through the trunk and the branches that were asked for."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from router.answer import read_answer
from router.batch import Batch
from router.durations import Durations
from router.inference import infer
from router.length_groups import length_groups
from router.padded_length import padded_length
from router.registry import Branch, Registry
from router.result_cache import ResultCache
from router.row import Row, TaskAnswers, error_answers
from router.sequences import Plan
from router.trunk import States, Trunk, hidden_name

Places = Mapping[int, int]  # row -> its sequence's place in a batch


class Run:
    """Every call of trunk or branch is a piece of work for the pool; a call's end starts those that waited for it.

    tokens: how many went through the trunk. padding: how many of them were padding.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        registry: Registry,
        plan: Plan,
        trunk: Trunk,
        calls: ThreadPoolExecutor,
        cache: ResultCache,
        durations: Durations,
    ) -> None:
        self.tokens = self.padding = 0
        self._rows = rows
        self._registry = registry
        self._plan = plan
        self._trunk = trunk
        self._calls = calls
        self._cache = cache
        self._durations = durations
        most = registry.max_length
        self._lengths = [padded_length(len(encoding.ids), most) for encoding in plan.encodings]
        self._results: queue.SimpleQueue[tuple[str, TaskAnswers] | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._stopped = False

    def answers(self) -> Iterator[tuple[str, TaskAnswers]]:
        """Yields (task, its answers for the rows of one length group). Raises RuntimeError if the trunk fails."""
        groups = length_groups(self._lengths)
        self._unfinished = len(groups)
        for group in groups:
            self._submit(self._start, group)
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

    def _start(self, group: Sequence[int]) -> None:
        encodings = [self._plan.encodings[sequence] for sequence in group]
        batch = Batch.of(encodings, max(self._lengths[sequence] for sequence in group))
        places = self._plan.places_in(group)
        with self._lock:
            self.tokens += batch.tokens
            self.padding += batch.padding
        taps = {self._registry.tasks[task].tap for task in places}
        self._climb(batch, places, {}, self._trunk.steps(list(taps)))

    def _climb(self, batch: Batch, places: Mapping[str, Places], below: States, steps: Sequence[Sequence[int]]) -> None:
        """One step of the trunk, then the next one beside the branches that the step has reached."""
        if not any(self._is_waiting(row) for by_row in places.values() for row in by_row):
            return
        states = self._trunk.run(batch.arrays, below, steps[0])
        reached = [task for task in places if self._registry.tasks[task].tap in steps[0]]
        self._more(len(reached) + (len(steps) > 1))
        if len(steps) > 1:
            self._submit(self._climb, batch, places, states, steps[1:])
        for task in self._durations.longest_first(reached):
            branch = self._registry.tasks[task]
            self._submit(self._answer, branch, places[task], batch, states[hidden_name(branch.tap)])

    def _answer(self, branch: Branch, places: Places, batch: Batch, hidden: np.ndarray) -> None:
        places = {row: place for row, place in places.items() if self._is_waiting(row)}
        if not places:
            return
        chosen = sorted(set(places.values()))
        try:
            begun = time.perf_counter()
            outputs = infer(branch.model, branch.version, batch.branch_inputs(hidden, chosen), ["logits"])
            self._durations.add(branch.task, time.perf_counter() - begun)
            if not np.isfinite(outputs["logits"]).all():
                raise RuntimeError("its logits are no finite numbers")
            logits = dict(zip(chosen, outputs["logits"], strict=True))
            answers = {}
            for row, place in places.items():
                answer = read_answer(branch, self._rows[row], batch.encodings[place], logits[place])
                answers[row] = json.dumps(answer, ensure_ascii=False)
                self._cache.keep(self._rows[row], branch, answers[row])
        except Exception as error:  # whatever is wrong with one branch must not take the other tasks' answers along
            answers = error_answers(dict.fromkeys(places, f"the branch of {branch.task} failed: {error}"))
        self._results.put((branch.task, answers))

    def _is_waiting(self, row: int) -> bool:
        return not self._rows[row].caller.is_gone

    def _more(self, pieces: int) -> None:
        with self._lock:
            self._unfinished += pieces

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        self._calls.submit(self._do, work, *arguments)

    def _do(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            if not self._stopped:
                work(*arguments)
        except Exception as error:
            self._results.put(error)
        with self._lock:
            self._unfinished -= 1
            finished = self._unfinished == 0
        if finished:
            self._results.put(None)
