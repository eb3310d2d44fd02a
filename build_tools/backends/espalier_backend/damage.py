"""Whether a file is the one that was built or published: manifest.json holds the SHA-256 of each."""

import hashlib
import json
from pathlib import Path


def damage(file: Path, repository: Path) -> str | None:
    """Why the file must not be served; None if it is as it was, or if the repository has no manifest."""
    manifest = repository / "manifest.json"
    if not manifest.is_file():
        return None
    known = json.loads(manifest.read_text(encoding="utf-8"))["files"].get(file.relative_to(repository).as_posix())
    if known is None:
        return f"{file} was neither built nor published: it is not in manifest.json"
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return None if found == known else f"{file} is damaged: its SHA-256 is not the one in manifest.json"
