"""An artefact's folder -> one file: a plain zip without compression, the same bytes for the same content."""

import os
import shutil
import uuid
import zipfile
from pathlib import Path

from build_tools.artefact.artefact import FILES
from build_tools.errors import BuildError

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_MODE = 0o100644 << 16  # a plain file


def check_new(file: Path) -> None:
    """Raises BuildError if the file exists or cannot be made. Call it before the work."""
    if file.exists():
        raise BuildError(f"{file} already exists and is not overwritten: choose another name, or remove it.")
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise BuildError(f"{file} cannot be made: {file.parent} is not a folder that you may write to.")


def seal(folder: Path, file: Path) -> None:
    """Writes the artefact in `folder` to the new `file`, completely or not at all.

    Raises BuildError if the file exists by now.
    """
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("xb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                for name in FILES:
                    if (folder / name).is_file():
                        _add(archive, folder / name, name)
            out.flush()
            os.fsync(out.fileno())
        check_new(file)
        staged.rename(file)
    finally:
        staged.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, source: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.create_system = 3  # Unix, whatever this is
    entry.external_attr = _MODE
    entry.file_size = source.stat().st_size
    with source.open("rb") as opened, archive.open(entry, "w") as inside:
        shutil.copyfileobj(opened, inside, 2**20)
