"""audit.jsonl: one line for each change of a repository."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build_tools.repository.registry import this_user
from espalier_json import parse_json

# The routers write it too, when they withdraw a canary, and call that so.
AUDIT_LOG, WITHDRAW = "audit.jsonl", "withdraw"


def log_action(repository: Path, action: str, task: str, version: int, **details: Any) -> None:
    """Appends who did what, and when. The caller holds the repository's lock."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": this_user(),
        "action": action,
        "task": task,
        "version": version,
        **details,
    }
    with (repository / AUDIT_LOG).open("ab+") as file:
        torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"  # by a full disk, or a kill
        file.write(b"\n" * torn + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last_withdrawal(repository: Path, task: str) -> dict[str, Any] | None:
    """The line of the last canary of a task that a router withdrew, if nothing was done to the task after it."""
    own = [line for line in read_lines(repository / AUDIT_LOG) if line.get("task") == task]
    return own[-1] if own and own[-1].get("action") == WITHDRAW else None


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, without those that are torn; none if there is no such file."""
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):  # a text may hold other line ends
        with suppress(ValueError, TypeError):
            found.append(dict(parse_json(line)))
    return found
