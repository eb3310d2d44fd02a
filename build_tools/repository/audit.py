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


def log_action(repository: Path, action: str, task: str, version: int, **details: Any) -> None:
    """Appends a line: when, who, action, task, version, details. The caller holds the repository's lock."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": this_user(),
        "action": action,
        "task": task,
        "version": version,
        **details,
    }
    with (repository / AUDIT_LOG).open("ab+") as file:
        # A full disk or a kill may have cut the last line.
        torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        file.write(b"\n" * torn + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last_withdrawal(repository: Path, task: str) -> dict[str, Any] | None:
    """Returns the last line of a task if a router withdrew a canary with it, else None."""
    own = [line for line in read_lines(repository / AUDIT_LOG) if line.get("task") == task]
    return own[-1] if own and own[-1].get("action") == WITHDRAW else None


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
