"""The temporary folder of one server: all paths that Triton gets lie in it.

Triton's Python backend starts each model process through a shell and does not quote the model's path. So a path that
Triton gets may hold only characters that mean nothing to a shell. The repository keeps its own path: Triton reaches it
through a link in this folder.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.model_folders import model_folders

_PLAIN = re.compile(r"[A-Za-z0-9._+/-]+")
_USUAL = ("/tmp", "/var/tmp", "~/.cache")
_PREFIX = "espalier-serve-"
_WORDS = "letters A to Z, digits and . _ + -"


class ServingFolder:
    """A new temporary folder `path`, with a plain path. `remove` deletes it; the repository behind the link stays.

    repository: a link to the model repository. backends: an empty folder. work: an empty folder, in which the processes
    start. temporary: an empty folder for their temporary files. log: where Triton's log goes unless the user names a
    file.
    """

    def __init__(self, repository: Path) -> None:
        """Raises ServeError if no place for temporary files can be used, or if a model's name is not plain."""
        check_model_names(repository)
        self.path = new_temporary_folder()
        self.repository = self.path / "repository"
        self.backends = self.path / "backends"
        self.work = self.path / "work"
        self.temporary = self.path / "tmp"
        self.log = self.path / "triton.log"
        try:
            # Not resolved: where the given path is a link itself, Triton goes on to follow it.
            self.repository.symlink_to(repository.absolute(), target_is_directory=True)
            for folder in (self.backends, self.work, self.temporary):
                folder.mkdir()
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Deletes the folder and all that the server's processes wrote there."""
        remove_folder(self.path)


def remove_folder(path: Path) -> None:
    """Deletes such a folder, and what is in it as far as that is possible."""
    shutil.rmtree(path, ignore_errors=True)


def check_model_names(repository: Path) -> None:
    """Raises ServeError if a folder that Triton would load has a name that a shell would read as something else."""
    for model in model_folders(repository):
        if not is_plain(model.name):
            raise ServeError(
                f"the model folder {model.name!r} cannot be served: rename it so that it has only {_WORDS}, or move it "
                f"out of {repository}, because Triton passes the name to a shell"
            )


def is_plain(path: str) -> bool:
    """Whether the path, or the name, means the same to a shell as to the file system."""
    return _PLAIN.fullmatch(path) is not None


def is_serving_folder(path: Path) -> bool:
    """Whether `path` is such a temporary folder, of this user, and not a link to something else."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return path.name.startswith(_PREFIX) and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def new_temporary_folder() -> Path:
    """Makes a temporary folder of this user alone, with a plain path.

    Raises ServeError if no place for temporary files can be used.
    """
    tried = []
    for place in _places():
        if not is_plain(str(place)):
            tried.append(f"{place} has other characters")
        elif _forbids_programs(place):
            tried.append(f"{place} forbids programs")
        else:
            try:
                return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            except OSError as error:
                tried.append(f"{place}: {error.strerror}")
    raise ServeError(
        f"no folder for temporary files can be used ({'; '.join(tried)}): set TMPDIR to a folder where programs may "
        f"run and whose path has only {_WORDS}"
    )


def _places() -> Iterator[Path]:
    """Yields where the folder may be, the best first: the user's choice, then the usual ones."""
    places = [Path(place) for place in _USUAL]
    with suppress(FileNotFoundError):  # Python finds none that can be written
        places.insert(0, Path(tempfile.gettempdir()))
    seen = set()
    for place in places:
        try:
            resolved = place.expanduser().resolve()
        except (OSError, RuntimeError):  # a loop of links; no home folder
            continue
        if resolved not in seen and resolved.is_dir():
            seen.add(resolved)
            yield resolved


def _forbids_programs(place: Path) -> bool:
    """Whether the file system is mounted with noexec: the model processes' program lies in the folder."""
    return bool(os.statvfs(place).f_flag & os.ST_NOEXEC)
