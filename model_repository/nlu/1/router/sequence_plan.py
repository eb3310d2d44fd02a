"""Rows -> sequences: what the trunk reads, each sequence once.

The tasks of a row usually share one sequence. Single-text tasks and pair tasks need one each (the text alone, and text
and pair). So do tasks on different trunks, and tasks with different maximum lengths where the text is longer than the
smaller one: every task sees what it was trained to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from text_tokenizer import Encoded, TextTokenizer

from router.registry import Registry, Version
from router.row import Row


@dataclass
class SequencePlan:
    """The sequences of a batch of rows, and which version reads which.

    encodings: one per sequence. trunks: for each sequence, the trunk that reads it.
    sequences: for each version that is asked, {row: index of its sequence in `encodings`}.
    errors: for each version that cannot answer some rows, {row: sentence}.
    """

    encodings: list[Encoded] = field(default_factory=list)
    trunks: list[str] = field(default_factory=list)
    sequences: dict[Version, dict[int, int]] = field(default_factory=dict)
    errors: dict[Version, dict[int, str]] = field(default_factory=dict)

    def places_in(self, group: Sequence[int]) -> dict[Version, dict[int, int]]:
        """Returns {version: {row: its sequence's place in the group}} for the versions that read from the group."""
        place_of = {index: place for place, index in enumerate(group)}
        found = {
            version: {row: place_of[index] for row, index in by_row.items() if index in place_of}
            for version, by_row in self.sequences.items()
        }
        return {version: places for version, places in found.items() if places}


class Key(NamedTuple):
    """Two sequences are the same if their keys are equal. tokens: the most that the sequence may have."""

    text: str
    pair: str | None
    trunk: str
    tokens: int


class SequencePlanner:
    """Tokenizes rows, with one truncating tokenizer for each trunk and maximum length in use."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._tokenizers: dict[tuple[str, int], TextTokenizer] = {}

    def plan(self, rows: Sequence[Row], registry: Registry) -> SequencePlan:
        """Returns the sequences of all rows and tasks."""
        plan = SequencePlan()
        wanted: dict[Key, list[tuple[Version, int]]] = {}
        for number, row in enumerate(rows):
            for task in row.tasks:
                version = registry.version_for(task, row.text, row.pair)
                if version.is_pair and row.pair is None:
                    plan.errors.setdefault(version, {})[number] = f"the task {task} compares two texts: give a pair."
                else:
                    wanted.setdefault(_key(row, version), []).append((version, number))
                shadow = registry.tasks[task].shadow
                if shadow is not None and not (shadow.is_pair and row.pair is None):
                    wanted.setdefault(_key(row, shadow), []).append((shadow, number))
        index_of: dict[Key, int] = {}  # these keys hold the number of tokens instead of the most
        for trunk, max_length in sorted({(key.trunk, key.tokens) for key in wanted}):
            keys = [key for key in wanted if (key.trunk, key.tokens) == (trunk, max_length)]
            encodings = self._tokenizer(registry.tokenizers[trunk], max_length).encode(
                [(key.text, key.pair) for key in keys]
            )
            for key, encoding in zip(keys, encodings, strict=True):
                # A text that fits gives the same sequence for every maximum length.
                index = index_of.setdefault(key._replace(tokens=len(encoding.ids)), len(plan.encodings))
                if index == len(plan.encodings):
                    plan.encodings.append(encoding)
                    plan.trunks.append(trunk)
                for version, number in wanted[key]:
                    plan.sequences.setdefault(version, {})[number] = index
        return plan

    def _tokenizer(self, model: str, max_length: int) -> TextTokenizer:
        if (model, max_length) not in self._tokenizers:
            file = self._repository / model / "1" / "tokenizer.json"
            self._tokenizers[model, max_length] = TextTokenizer(file, max_length)
        return self._tokenizers[model, max_length]


def _key(row: Row, version: Version) -> Key:
    return Key(row.text, row.pair if version.is_pair else None, version.trunk, version.max_length)
