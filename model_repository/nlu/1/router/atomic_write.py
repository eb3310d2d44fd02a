"""Replaces a file at once: a reader sees the old content or the new one, never a part of it, even after a crash."""

import contextlib
import os
import stat
import uuid
from pathlib import Path


def replace_file(file: Path, text: str) -> None:
    """Writes the text (as UTF-8) to a staged file beside `file` and renames it over `file`. On return it is on disk.

    It keeps the permissions of the file that it replaces.
    Raises OSError if the text cannot be written; `file` is then unchanged. The project's training/atomic_write.py gives
    the same guarantee, but code in a model repository cannot import it.
    """
    # The build tools remove files with such names, which a killed process may leave.
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("xb") as out:
            with contextlib.suppress(FileNotFoundError):  # a new file
                os.fchmod(out.fileno(), stat.S_IMODE(file.stat().st_mode))
            out.write(text.encode())
            out.flush()
            os.fsync(out.fileno())
        staged.replace(file)
        _sync(file.parent)
    finally:
        staged.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
