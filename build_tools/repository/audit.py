"""audit.jsonl: one line for each change of a repository."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build_tools.repository.registry import this_user
from espalier_json import parse_json

# The routers append to the file too, when they withdraw a canary; "withdraw" is their action.
AUDIT_LOG, WITHDRAW = "audit.jsonl", "withdraw"
PUBLISH, _COMPACT = "publish", "compact"


def log_action(repository: Path, action: str, task: str, version: int, **details: Any) -> None:
    """Appends a line: when, who, action, task, version, details. The caller holds the repository's lock."""
    _append(repository, action, {"task": task, "version": version, **details})


def log_compaction(repository: Path, model: str, version: int, tasks: dict[str, int]) -> None:
    """Appends a line: when, who, "compact", the fused graph's Triton model and version, {task: the version in it}.

    Earlier releases wrote the model under "task". The caller holds the repository's lock.
    """
    _append(repository, _COMPACT, {"model": model, "version": version, "tasks": tasks})


def last_withdrawals(repository: Path) -> dict[str, dict[str, Any]]:
    """Returns {task: its last line} for the tasks whose last line says that a canary was withdrawn."""
    last = {line["task"]: line for line in _lines_of_tasks(repository)}
    return {task: line for task, line in last.items() if line.get("action") == WITHDRAW}


def published_of(repository: Path, task: str, checkpoint: str) -> set[int]:
    """Returns the versions of a task that were published of a checkpoint (its SHA-256), also those that are gone."""
    lines = (line for line in _lines_of_tasks(repository) if line["task"] == task and line.get("action") == PUBLISH)
    versions = [line.get("version") for line in lines if line.get("checkpoint") == checkpoint]
    return {version for version in versions if isinstance(version, int)}


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Returns the objects of a JSON Lines file, without lines that were cut; empty if there is no file."""
    if not file.is_file():
        return []
    found = []
    # Not splitlines: a text may contain other line ends.
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        with suppress(ValueError, TypeError):
            found.append(dict(parse_json(line)))
    return found


def _lines_of_tasks(repository: Path) -> list[dict[str, Any]]:
    lines = read_lines(repository / AUDIT_LOG)
    return [line for line in lines if isinstance(line.get("task"), str) and line.get("action") != _COMPACT]


def _append(repository: Path, action: str, what: dict[str, Any]) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": this_user(), "action": action, **what}
    with (repository / AUDIT_LOG).open("ab+") as file:
        # A full disk or a kill may have cut the last line.
        torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        file.write(b"\n" * torn + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
