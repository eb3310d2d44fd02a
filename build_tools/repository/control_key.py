"""control.key: whoever can read it may load and unload models on the server that serves this repository."""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from build_tools.errors import BuildError
from training.atomic_write import replace_file

CONTROL_KEY = "control.key"
CONTROL_HEADER = "espalier-control-key"  # HTTP header and gRPC metadata
_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{40,}")


def ensure_control_key(repository: Path) -> str | None:
    """Returns the repository's key, and makes one first if there is none.

    Only the owner may read it; the group too if it may write the folder, as teams that publish share one. Call it
    while no other process makes one: before the repository is in its place, or under its lock. Returns None if there
    is no key and the folder is read-only: then nobody can change what the server has loaded. Raises BuildError for a
    damaged key.
    """
    found = read_control_key(repository)
    if found is not None or not os.access(repository, os.W_OK):
        return found
    folder = repository.stat()
    shared = bool(folder.st_mode & stat.S_IWGRP)
    file = repository / CONTROL_KEY
    key = secrets.token_urlsafe(_BYTES)
    replace_file(file, key + "\n", staged_in=repository, mode=0o640 if shared else 0o600)
    if shared:
        with suppress(PermissionError):  # one who is not in the folder's group cannot give files to it
            os.chown(file, -1, folder.st_gid)
    return key


def needed_control_key(repository: Path) -> str:
    """Returns the key. Raises BuildError if there is none, or as read_control_key does."""
    key = read_control_key(repository)
    if key is None:
        raise BuildError(f"{repository} has no {CONTROL_KEY}: run espalier upgrade {repository}, which makes one.")
    return key


def read_control_key(repository: Path) -> str | None:
    """Returns the key, None if there is none. Raises BuildError if it cannot be read or is damaged."""
    file = repository / CONTROL_KEY
    try:
        key = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise BuildError(
            f"{file} cannot be read: only its owner, and the group of a shared repository, may change what the "
            "server has loaded. Run this as one of them."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{file} cannot be read ({error}): delete it, and start the server again.") from error
    if not _FORM.fullmatch(key):
        raise BuildError(f"{file} does not hold a key: delete it, and start the server again, which makes one.")
    return key
