"""Takes a canary that is out of bounds out of registry.json, so that no router sends it further texts."""

import fcntl
import json
import os
from datetime import datetime, timezone
from pathlib import Path

from router.atomic_write import replace_file
from router.registry import Canary

# The names that the build tools use. They hold this lock for each change of a repository.
_REGISTRY, _LOCK, _AUDIT_LOG = "registry.json", "repository.lock", "audit.jsonl"


def withdraw(repository: Path, canary: Canary, reason: str) -> None:
    """Does what `espalier rollback` does to a canary, and writes the reason to the audit log.

    Does nothing if the registry does not name this canary any more. Waits while another process changes the repository.
    Raises OSError if the repository cannot be written to.
    """
    task, number = canary.version.task, canary.version.number
    with (repository / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = json.loads((repository / _REGISTRY).read_text(encoding="utf-8"))
        entry = content["tasks"].get(task, {})
        if not entry.get("canary") or entry["canary"]["version"] != number:
            return
        entry["canary"] = None
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entry.setdefault("leaving", {})[str(number)] = now  # batches in flight may still ask for it
        if isinstance(content.get("generation"), int):  # format 3
            content["generation"] += 1
        replace_file(repository / _REGISTRY, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        line = {
            "at": now,
            "by": "router",
            "action": "withdraw",
            "task": task,
            "version": number,
            "reason": reason,
        }
        with (repository / _AUDIT_LOG).open("ab+") as file:
            # A full disk or a kill may have cut the last line. A line that hangs on it is one that nobody reads.
            torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" * torn + json.dumps(line, ensure_ascii=False).encode() + b"\n")
