"""The candidates of one batch, and what came of them.

A candidate is a version that runs as canary or shadow beside the live one. A canary answers for a share of the texts; a
shadow is computed too, but its answers are only compared with those of the live version.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.answer_from_logits import Answer
from router.answered_labels import labels_of
from router.registry import Registry, Version

# A shadow's value may differ from the live one by this share of it, or by this much if the live value is below 1.
_VALUE_TOLERANCE = 0.05


@dataclass
class Outcome:
    """What came of one candidate in one batch.

    answers, errors: numbers of texts. calls, seconds: of the calls of its branch. compared: number of texts that the
    live version has answered too. differing: {row: (live answer, shadow's answer)} for those texts where the two do not
    say the same. labels, live_labels: {row: what a canary, and its live version, answered}. live: that version.
    """

    answers: int = 0
    errors: int = 0
    calls: int = 0
    seconds: float = 0.0
    compared: int = 0
    differing: dict[int, tuple[Answer, Answer]] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=dict)
    live_labels: dict[int, list[str]] = field(default_factory=dict)
    live: Version | None = None


class Candidates:
    """Collects the outcomes of one batch. Safe to share between threads."""

    def __init__(self, registry: Registry) -> None:
        tasks = registry.tasks.values()
        self.outcomes: dict[Version, Outcome] = {}
        self._canaries = {task.canary.version for task in tasks if task.canary}
        # Of versions with other labels the distributions say nothing.
        self._canary_of = {
            task.live: task.canary.version
            for task in tasks
            if task.canary and set(task.canary.version.labels) == set(task.live.labels)
        }
        self._shadow_of = {task.live: task.shadow for task in tasks if task.shadow}
        self._live_of = {shadow: live for live, shadow in self._shadow_of.items()}
        # By version and row: answers whose counterpart, from the live version or its shadow, is still to come.
        self._answers: dict[tuple[Version, int], Answer] = {}
        self._lock = threading.Lock()

    def is_shadow(self, version: Version) -> bool:
        """True if no caller gets the version's answers."""
        return version in self._live_of

    def is_candidate(self, version: Version) -> bool:
        """True if the version is a canary or a shadow."""
        return version in self._canaries or version in self._live_of

    def add(self, version: Version, answers: Mapping[int, Answer], errors: int, seconds: float | None) -> None:
        """Adds a version's answers by row, and the number of texts for which it failed.

        seconds: how long the call took; None if there was no call.
        """
        is_candidate = self.is_candidate(version)
        if not is_candidate and version not in self._shadow_of and version not in self._canary_of:
            return
        with self._lock:
            if is_candidate:
                outcome = self.outcomes.setdefault(version, Outcome())
                outcome.answers += len(answers)
                outcome.errors += errors
                if seconds is not None:
                    outcome.calls += 1
                    outcome.seconds += seconds
            if version in self._canary_of:
                outcome = self.outcomes.setdefault(self._canary_of[version], Outcome())
                outcome.live = version
                outcome.live_labels |= {row: labels_of(answer) for row, answer in answers.items()}
            elif version in self._canaries:
                outcome.labels |= {row: labels_of(answer) for row, answer in answers.items()}
            else:
                for row, answer in answers.items():
                    self._compare(version, row, answer)

    def _compare(self, version: Version, row: int, answer: Answer) -> None:
        is_shadow = version in self._live_of
        other = self._answers.pop((self._live_of[version] if is_shadow else self._shadow_of[version], row), None)
        if other is None:
            self._answers[version, row] = answer
            return
        live, shadow = (other, answer) if is_shadow else (answer, other)
        outcome = self.outcomes.setdefault(version if is_shadow else self._shadow_of[version], Outcome())
        outcome.compared += 1
        if not same_answer(live, shadow):
            outcome.differing[row] = (live, shadow)


def same_answer(live: Answer, shadow: Answer) -> bool:
    """True if two answers name the same label, labels or spans, whatever their scores.

    An answer that is a value may differ by _VALUE_TOLERANCE.
    """
    if _said(live) != _said(shadow):
        return False
    if "label" in live or "labels" in live or "spans" in live:
        return True
    return abs(live["score"] - shadow["score"]) <= _VALUE_TOLERANCE * max(1.0, abs(live["score"]))


def _said(answer: Answer) -> object:
    labels = {entry["label"] for entry in answer["labels"]} if "labels" in answer else None
    spans = [(span["start"], span["end"], span["label"]) for span in answer["spans"]] if "spans" in answer else None
    return answer.get("label"), labels, spans
