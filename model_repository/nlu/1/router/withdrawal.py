"""A canary out of bounds is taken out of registry.json, so that no process sends it anything more."""

import fcntl
import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

from router.registry import Canary

# As the build tools name them, which hold this lock for each change of a repository.
_REGISTRY, _LOCK, _AUDIT_LOG = "registry.json", "repository.lock", "audit.jsonl"


def withdraw(repository: Path, canary: Canary, reason: str) -> None:
    """Does what `espalier rollback` does to a canary, and says why in the audit log; nothing if it is there no more.

    Waits for whoever changes the repository at this moment. Raises OSError if it cannot be written to.
    """
    task, version = canary.version.task, canary.version.number
    with (repository / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = json.loads((repository / _REGISTRY).read_text(encoding="utf-8"))
        entry = content["tasks"].get(task, {})
        if not entry.get("canary") or entry["canary"]["version"] != version:
            return
        entry["canary"] = None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry.setdefault("leaving", {})[str(version)] = now  # batches in flight may still ask for it
        _replace(repository / _REGISTRY, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        line = {
            "at": now,
            "by": "router",
            "action": "withdraw",
            "task": task,
            "version": version,
            "reason": reason,
        }
        with (repository / _AUDIT_LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
