"""Atomic replacement of files: a reader sees the old content or the new one, never a part of it, even after a crash."""

import os
import re
import stat
import uuid
from pathlib import Path

_STAGED = re.compile(r"\..+\.[0-9a-f]{32}")


def replace_file(file: Path, content: str | bytes, staged_in: Path, mode: int | None = None) -> None:
    """Writes the content (text as UTF-8) to a staged file and renames it to `file`; both are on disk on return.

    staged_in: a folder on the same file system for the staged file, which a killed process leaves behind. Do not use a
    model's folder in a repository: Triton takes a new file there for a change of the model.
    mode: the file's permissions, for secrets; None keeps those of the file that is replaced, so that a umask does not
    take it from those who read it until now, and gives a new file what the umask leaves.
    """
    mode = permissions_of(file) if mode is None else mode
    staged = staged_in / f".{file.name}.{uuid.uuid4().hex}"
    try:
        with staged.open("xb") as out:
            if mode is not None:
                os.fchmod(out.fileno(), mode)  # before a secret is in it
            out.write(content.encode() if isinstance(content, str) else content)
            out.flush()
            os.fsync(out.fileno())
        staged.replace(file)
        _sync(file.parent)
    finally:
        staged.unlink(missing_ok=True)


def permissions_of(file: Path) -> int | None:
    """Returns them as chmod takes them; None if there is no such file."""
    try:
        return stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return None


def rename_folder(folder: Path, place: Path) -> None:
    """Renames `folder` to `place`; its content and its new name are on disk on return."""
    for path in (folder, *folder.rglob("*")):
        _sync(path)
    folder.rename(place)
    _sync(place.parent)


def rename_file(file: Path, place: Path) -> None:
    """Renames `file`, whose content is on disk, to `place`; the new name too on return. Replaces what is there."""
    file.replace(place)
    _sync(place.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_staged_files(folder: Path) -> None:
    """Removes the staged files that killed processes left in `folder`. No process may be staging a file there."""
    for path in folder.iterdir():
        if _STAGED.fullmatch(path.name) and path.is_file():
            path.unlink()
