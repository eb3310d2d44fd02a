"""Exchanges two folders with one rename, so that there is no moment without one of them."""

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux: linux/fcntl.h, linux/fs.h
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


def exchange(new: Path, place: Path) -> None:
    """Puts the folder `new` at `place`, and what was there at `new`. Both are on one file system.

    Where the file system cannot do that at once (NFS), `place` is missing for a moment. Raises OSError if it fails.
    """
    if place.exists() and _exchanged(new, place):
        return
    aside = new.with_name(f"{new.name}.before")
    if place.exists():
        place.rename(aside)
    new.rename(place)
    if aside.exists():
        aside.rename(new)


def _exchanged(new: Path, place: Path) -> bool:
    """Python has no call for it. Returns False if this system or file system has none either."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(new), os.fsencode(place)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(place))
