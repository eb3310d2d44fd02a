"""The last good registry.json, for router processes that start, or are asked again, while the file is a bad one."""

import contextlib
import hashlib
import os
from pathlib import Path

from router.atomic_write import replace_file

_FOLDER = "TMPDIR"  # `espalier serve` sets it to a folder of this server's own


class LastGood:
    """A copy that the processes of one server share. Without a folder of the server's own there is none."""

    def __init__(self, repository: Path) -> None:
        name = hashlib.sha256(str(repository.resolve()).encode()).hexdigest()[:16]
        folder = os.environ.get(_FOLDER)
        self._file = Path(folder, f"registry-{name}.json") if folder else None

    def keep(self, content: bytes) -> None:
        """Replaces the copy. Does nothing if that is impossible: the registry is in force all the same."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                replace_file(self._file, content.decode())

    def read(self) -> bytes | None:
        """Returns the copy, or None if there is none of this user's."""
        if self._file is None:
            return None
        with contextlib.suppress(OSError):
            if self._file.stat().st_uid == os.getuid():
                return self._file.read_bytes()
        return None
