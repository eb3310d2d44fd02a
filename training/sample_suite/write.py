"""Writes the five tasks of the sample suite as JSON lines."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.sample_suite.coherence import LABELS, pair
from training.sample_suite.emotions import EMOTIONS, say_with_emotion
from training.sample_suite.grammar import DOMAINS, MARKS, MAX_WORDS, Grammar, Word, text_of
from training.sample_suite.templates import TEMPLATES

Row = dict[str, Any]

_MAX_TRIES = 2000


def write_sample_suite(directory: Path, seed: int = 0, train_rows: int = 1200, dev_rows: int = 240) -> dict[str, Path]:
    """Writes `<directory>/<task>/train.jsonl` and `dev.jsonl` for each task and returns the tasks' folders.

    The classes are balanced to one row, and no text occurs twice in a task. The dev rows also use the third of all
    templates and names that train never sees. The same arguments write the same bytes everywhere.
    Raises TrainingError if a task's folder exists, and ValueError if the grammar cannot write that many different rows
    or the rows are too few for all labels.
    """
    if min(train_rows, dev_rows) < len(DOMAINS):
        raise ValueError(
            f"train_rows={train_rows} and dev_rows={dev_rows}: both must be at least {len(DOMAINS)},"
            " so that every intent has a row."
        )
    folders = {task: directory / task for task in _TASKS}
    for folder in folders.values():
        if folder.exists():
            raise TrainingError(f"{folder} already exists and is not overwritten: choose another folder.")
    for task, (write_row, labels) in _TASKS.items():
        rng = random.Random(f"{seed} {task}")
        written: set[str] = set()
        train = _rows(task, write_row, labels, Grammar(rng, held_out=False), train_rows, written)
        known = {tag for row in train for tag in row.get("tags", ())}
        dev = _rows(task, write_row, labels, Grammar(rng, held_out=True), dev_rows, written, known)
        folders[task].mkdir(parents=True)
        for split, rows in (("train", train), ("dev", dev)):
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
            (folders[task] / f"{split}.jsonl").write_bytes("".join(lines).encode())
    return folders


def _rows(
    task: str,
    write_row: Callable[[Grammar, str], Row],
    labels: tuple[str, ...],
    grammar: Grammar,
    count: int,
    written: set[str],
    known_tags: set[str] | None = None,
) -> list[Row]:
    """Returns `count` rows in random order, balanced over `labels`, with tags of `known_tags` only (None: any).

    Skips rows whose words are in `written`, and adds the words of its rows to it.
    """
    rows: list[Row] = []
    for number in range(count):
        label = labels[number % len(labels)]
        for _ in range(_MAX_TRIES):
            row = write_row(grammar, label)
            said = _said(row)
            fits = known_tags is None or known_tags.issuperset(row.get("tags", ()))
            if fits and said not in written and len(said.split()) <= MAX_WORDS:
                break
        else:
            raise ValueError(
                f"The grammar found no {count} different rows for task '{task}', label '{label}': ask for fewer."
            )
        written.add(said)
        rows.append(row)
    grammar.rng.shuffle(rows)
    return rows


def _said(row: Row) -> str:
    """Returns a row's words without case and marks: an uncased model cannot tell such rows apart."""
    said = " ".join([*row.get("tokens", ()), row.get("text", ""), row.get("text_pair", "")]).lower()
    return " ".join("".join(" " if sign in MARKS else sign for sign in said).split())


def _domain_row(grammar: Grammar, domain: str) -> Row:
    return {**_intent_row(grammar, grammar.rng.choice(tuple(TEMPLATES[domain]))), "label": domain}


def _intent_row(grammar: Grammar, intent: str) -> Row:
    return {"text": text_of(_utter(grammar, intent)), "label": intent}


def _slots_row(grammar: Grammar, intent: str) -> Row:
    words = _utter(grammar, intent)
    return {"tokens": [word.text for word in words], "tags": [word.tag for word in words]}


def _utter(grammar: Grammar, intent: str) -> list[Word]:
    return grammar.spell(grammar.utter(intent, opener="<opener>").words)


def _emotion_row(grammar: Grammar, emotion: str) -> Row:
    return {"text": text_of(say_with_emotion(grammar, emotion)), "label": emotion}


def _coherence_row(grammar: Grammar, label: str) -> Row:
    first, second = pair(grammar, label)
    return {"text": text_of(first), "text_pair": text_of(second), "label": label}


# Task -> the function that writes one row, and the labels to balance (for `slots`, the intents).
_TASKS: dict[str, tuple[Callable[[Grammar, str], Row], tuple[str, ...]]] = {
    "domain": (_domain_row, tuple(TEMPLATES)),
    "intent": (_intent_row, tuple(DOMAINS)),
    "slots": (_slots_row, tuple(DOMAINS)),
    "emotion": (_emotion_row, EMOTIONS),
    "coherence": (_coherence_row, LABELS),
}
