"""Exchanges two folders with one rename, so that there is no moment without one of them."""

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux: linux/fcntl.h, linux/fs.h
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_ASIDE = ".before"  # after the name of what is exchanged


def exchange(new: Path, place: Path) -> None:
    """Puts the folder `new` at `place`, and what was there at `new`. Both are on one file system.

    Where the file system cannot do that at once (NFS), `place` is missing for a moment. A process that is killed in it
    leaves what was there beside `new`, for `put_back`. Raises OSError if it fails; then all is as it was.
    """
    if place.exists() and _exchanged(new, place):
        return
    aside = new.with_name(f"{new.name}{_ASIDE}")
    try:
        if place.exists():
            place.rename(aside)
        new.rename(place)
    except BaseException:
        put_back(new.parent, place.parent)
        raise
    if aside.exists():
        aside.rename(new)


def put_back(staged: Path, folder: Path) -> None:
    """Moves to `folder` what killed exchanges have left in `staged`, where the two were on their way."""
    for aside in sorted(staged.rglob(f"*{_ASIDE}")):
        place = folder / aside.name.removesuffix(_ASIDE)
        if not place.exists():
            aside.rename(place)


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
