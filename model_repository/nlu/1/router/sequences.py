"""Rows -> sequences: what the trunk is to read, each once.

A row's tasks mostly share one sequence. Single-text tasks and pair tasks of one row need one each (text alone, text
and pair), and so do tasks whose maximum lengths differ where the text is longer than the lesser one: every task sees
what it was trained to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from text_tokenizer import TextTokenizer
from tokenizers import Encoding

from router.registry import Registry
from router.row import Row


@dataclass
class Plan:
    """What a batch of rows comes to.

    encodings: one per sequence.
    places: for each task, {row: index of its sequence in `encodings`}.
    errors: for each task, {row: sentence} where the row cannot be asked.
    """

    encodings: list[Encoding] = field(default_factory=list)
    places: dict[str, dict[int, int]] = field(default_factory=dict)
    errors: dict[str, dict[int, str]] = field(default_factory=dict)

    def places_in(self, group: Sequence[int]) -> dict[str, dict[int, int]]:
        """For each task that is asked of the group, {row: its sequence's place in the group}."""
        place_of = {index: place for place, index in enumerate(group)}
        found = {
            task: {row: place_of[index] for row, index in places.items() if index in place_of}
            for task, places in self.places.items()
        }
        return {task: places for task, places in found.items() if places}


class SequencePlanner:
    """Tokenizes rows, with one truncating tokenizer per maximum length in use."""

    def __init__(self, tokenizer_file: Path) -> None:
        self._file = tokenizer_file
        self._tokenizers: dict[int, TextTokenizer] = {}

    def plan(self, rows: Sequence[Row], registry: Registry) -> Plan:
        """The sequences of all rows and tasks."""
        plan = Plan()
        wanted: dict[tuple[str, str | None, int], list[tuple[str, int]]] = {}  # (text, pair, most tokens): task, row
        for number, row in enumerate(rows):
            for task in row.tasks:
                branch = registry.tasks[task]
                if branch.is_pair and row.pair is None:
                    plan.errors.setdefault(task, {})[number] = f"the task {task} compares two texts: give a pair."
                else:
                    key = (row.text, row.pair if branch.is_pair else None, branch.max_length)
                    wanted.setdefault(key, []).append((task, number))
        sequences: dict[tuple[str, str | None, int], int] = {}  # (text, pair, number of tokens): index
        for max_length in sorted({key[2] for key in wanted}):
            keys = [key for key in wanted if key[2] == max_length]
            encodings = self._tokenizer(max_length).encode([key[:2] for key in keys])
            for key, encoding in zip(keys, encodings, strict=True):
                # Texts that fit are the same for every maximum length.
                index = sequences.setdefault((*key[:2], len(encoding.ids)), len(plan.encodings))
                if index == len(plan.encodings):
                    plan.encodings.append(encoding)
                for task, number in wanted[key]:
                    plan.places.setdefault(task, {})[number] = index
        return plan

    def _tokenizer(self, max_length: int) -> TextTokenizer:
        if max_length not in self._tokenizers:
            self._tokenizers[max_length] = TextTokenizer(self._file, max_length)
        return self._tokenizers[max_length]
