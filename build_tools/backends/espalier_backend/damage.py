"""Compares a file with its SHA-256 in manifest.json, which build and publish write."""

import hashlib
import json
from pathlib import Path


def damage(file: Path, repository: Path) -> str | None:
    """Returns why the file must not be served; None if it is unchanged, or if the repository has no manifest."""
    manifest = repository / "manifest.json"
    if not manifest.is_file():
        return None
    known = json.loads(manifest.read_text(encoding="utf-8"))["files"].get(file.relative_to(repository).as_posix())
    if known is None:
        return f"{file} was neither built nor published: it is not in manifest.json"
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return None if found == known else f"{file} is damaged: its SHA-256 is not the one in manifest.json"
