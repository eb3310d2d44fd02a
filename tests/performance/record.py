"""What is kept of a run, <shape>.json, so that another one can go on with its rounds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errors import BenchError
from report import medians
from suite import Suite

Rounds = list[dict[str, dict[str, dict[str, float]]]]  # round -> rival -> kind of texts -> figure -> value


@dataclass
class Record:
    """days: on which its rounds were measured. tried: what the bare rival chose from. encoders: how many single-task
    serving had loaded."""

    rounds: Rounds = field(default_factory=list)
    tried: list[dict[str, Any]] = field(default_factory=list)
    encoders: int | None = None
    days: list[str] = field(default_factory=list)

    def by_kind(self, kinds: Sequence[str]) -> dict[str, list[dict[str, dict[str, float]]]]:
        """{kind of texts: for each round the figures of each rival}."""
        return {kind: [{name: figures[kind] for name, figures in one.items()} for one in self.rounds] for kind in kinds}


def setting(suite: Suite, callers: int, seconds: float) -> dict[str, Any]:
    """What rounds must have in common, beside the kinds of texts."""
    return {
        "shape": suite.shape.name,
        "tasks": suite.tasks,
        "runtime": suite.runtime,
        "precision": suite.precision,
        "callers": callers,
        "seconds": seconds,
    }


def write_record(file: Path, of: Mapping[str, Any], record: Record, kinds: Sequence[str], notes: Sequence[str]) -> None:
    """of: the setting."""
    rounds = record.by_kind(kinds)
    content = {
        **of,
        "days": record.days,
        "encoders": record.encoders,
        "bare_tried": record.tried,
        "medians": {kind: medians(measured) for kind, measured in rounds.items()},
        "rounds": rounds,
        "notes": notes,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_record(file: Path, of: Mapping[str, Any], kinds: Sequence[str]) -> Record:
    """The record to go on with. Raises BenchError if there is none, or of another setting."""
    if not file.is_file():
        raise BenchError(f"there is no {file} to go on with: leave --go-on out.")
    content = json.loads(file.read_text(encoding="utf-8"))
    others = [name for name, value in of.items() if content[name] != value]
    if others or list(content["rounds"]) != list(kinds):
        differing = ", ".join(others) or "tokens"
        raise BenchError(f"{file} is of another setting ({differing}): leave --go-on out, or choose another --output.")
    by_kind = content["rounds"]
    rounds = [
        {name: {kind: by_kind[kind][number][name] for kind in kinds} for name in one}
        for number, one in enumerate(by_kind[kinds[0]])
    ]
    return Record(rounds, content["bare_tried"], content["encoders"], content["days"])
