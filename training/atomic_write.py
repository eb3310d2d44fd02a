"""Files that are replaced at once: a reader sees the old content or the new one, never a part, also after a crash."""

import os
import re
import uuid
from pathlib import Path

_STAGED = re.compile(r"\..+\.[0-9a-f]{32}")


def replace_file(file: Path, content: str | bytes, staged_in: Path) -> None:
    """Writes the content (text in UTF-8) beside and renames it over `file`, on disk before this returns.

    staged_in: a folder of the same file system where a file that a killed process leaves does no harm. A model's own
    folder is none: Triton takes what is new there for a change of the model.
    """
    staged = staged_in / f".{file.name}.{uuid.uuid4().hex}"
    try:
        with staged.open("xb") as out:
            out.write(content.encode() if isinstance(content, str) else content)
            out.flush()
            os.fsync(out.fileno())
        staged.replace(file)
        _sync(file.parent)
    finally:
        staged.unlink(missing_ok=True)


def rename_folder(folder: Path, place: Path) -> None:
    """Renames a folder, on disk with all that it holds before this returns."""
    for path in (folder, *folder.rglob("*")):
        _sync(path)
    folder.rename(place)
    _sync(place.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_staged_files(folder: Path) -> None:
    """Removes what killed processes have left in a folder where files are staged, and nobody writes now."""
    for path in folder.iterdir():
        if _STAGED.fullmatch(path.name) and path.is_file():
            path.unlink()
