"""The lock that tells the build tools that a server, however it was started, has this repository open."""

import fcntl
import logging
from pathlib import Path
from typing import IO

_LOCK = "serving.lock"


def hold_serving_lock(repository: Path) -> IO[str] | None:
    """Takes a shared lock, which lasts as long as the returned file is open.

    Returns None if the repository has no lock file or its file system has no locks. Raises RuntimeError if a command
    that needs the repository to itself is changing it: the models that are loaded already may be the old ones.
    """
    try:
        file = (repository / _LOCK).open()  # for reading, because the repository may be read-only
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(
            f"a command is changing {repository}, which must not be served meanwhile: start again when it is done."
        ) from None
    except OSError as error:
        logging.getLogger(__name__).info("%s is not locked: %r", repository, error)
        return None
    return file
