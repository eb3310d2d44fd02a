"""Rows -> sequences: what the trunk is to read, each once.

A row's tasks mostly share one sequence. Single-text tasks and pair tasks of one row need one each (text alone, text
and pair), so do tasks on different trunks, and so do tasks whose maximum lengths differ where the text is longer than
the lesser one: every task sees what it was trained to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from text_tokenizer import TextTokenizer
from tokenizers import Encoding

from router.registry import Registry, Version
from router.row import Row


@dataclass
class SequencePlan:
    """What a batch of rows comes to.

    encodings: one per sequence. trunks: for each the trunk that is to read it.
    places: for each version asked, {row: index of its sequence in `encodings`}.
    errors: for each version asked, {row: sentence} where the row cannot be asked.
    """

    encodings: list[Encoding] = field(default_factory=list)
    trunks: list[str] = field(default_factory=list)
    places: dict[Version, dict[int, int]] = field(default_factory=dict)
    errors: dict[Version, dict[int, str]] = field(default_factory=dict)

    def places_in(self, group: Sequence[int]) -> dict[Version, dict[int, int]]:
        """For each version that is asked of the group, {row: its sequence's place in the group}."""
        place_of = {index: place for place, index in enumerate(group)}
        found = {
            version: {row: place_of[index] for row, index in places.items() if index in place_of}
            for version, places in self.places.items()
        }
        return {version: places for version, places in found.items() if places}


class Key(NamedTuple):
    """What a sequence is made of. tokens: the most that it may have."""

    text: str
    pair: str | None
    trunk: str
    tokens: int


class SequencePlanner:
    """Tokenizes rows, with one truncating tokenizer per trunk and maximum length in use."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._tokenizers: dict[tuple[str, int], TextTokenizer] = {}

    def plan(self, rows: Sequence[Row], registry: Registry) -> SequencePlan:
        """The sequences of all rows and tasks."""
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
        sequences: dict[Key, int] = {}  # with the number of tokens in place of the most: index
        for trunk, max_length in sorted({(key.trunk, key.tokens) for key in wanted}):
            keys = [key for key in wanted if (key.trunk, key.tokens) == (trunk, max_length)]
            encodings = self._tokenizer(registry.tokenizers[trunk], max_length).encode(
                [(key.text, key.pair) for key in keys]
            )
            for key, encoding in zip(keys, encodings, strict=True):
                # Texts that fit are the same for every maximum length.
                index = sequences.setdefault(key._replace(tokens=len(encoding.ids)), len(plan.encodings))
                if index == len(plan.encodings):
                    plan.encodings.append(encoding)
                    plan.trunks.append(trunk)
                for version, number in wanted[key]:
                    plan.places.setdefault(version, {})[number] = index
        return plan

    def _tokenizer(self, model: str, max_length: int) -> TextTokenizer:
        if (model, max_length) not in self._tokenizers:
            file = self._repository / model / "1" / "tokenizer.json"
            self._tokenizers[model, max_length] = TextTokenizer(file, max_length)
        return self._tokenizers[model, max_length]


def _key(row: Row, version: Version) -> Key:
    return Key(row.text, row.pair if version.is_pair else None, version.trunk, version.max_length)
