"""How the build tools know that a server has this repository open, whoever started it."""

import fcntl
import logging
from pathlib import Path
from typing import IO

_LOCK = "serving.lock"


def hold_serving_lock(repository: Path) -> IO[str] | None:
    """A shared lock for as long as the file is open.

    None in a repository without such a file, or on a file system without locks. Raises RuntimeError if a command
    changes the repository as one that stands still: the other models may be loaded as they were before.
    """
    try:
        file = (repository / _LOCK).open()  # to read: a repository that nobody may write to can be locked all the same
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(
            f"a command changes {repository}, which no server had open: start again when it is done."
        ) from None
    except OSError as error:
        logging.getLogger(__name__).info("%s is not locked: %r", repository, error)
        return None
    return file
