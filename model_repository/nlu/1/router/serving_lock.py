"""How the build tools know that a server has this repository open, whoever started it."""

import fcntl
import logging
from pathlib import Path
from typing import IO

_LOCK = "serving.lock"


def hold_serving_lock(repository: Path) -> IO[str] | None:
    """A shared lock for as long as the file is open, once no command changes the repository as one that stands still.

    None in a repository without such a file, or on a file system without locks.
    """
    try:
        file = (repository / _LOCK).open()  # to read: a repository that nobody may write to can be locked all the same
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError as error:
        logging.getLogger(__name__).info("%s is not locked: %r", repository, error)
        return None
    return file
