"""Holds what Triton would run from a repository against its manifest, before Triton starts.

Triton runs every `model.py` that it finds. Graphs are left to our backends, which compare each with its SHA-256 when
they load it (build_tools/backends/espalier_backend/damage.py).
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.repository.manifest import MANIFEST, NOT_SERVED, hashes_of, read_manifest

_GRAPH = ".onnx"
_SETTLE_SECONDS = 1.0


def check_code(repository: Path) -> None:
    """Checks that the models' folders hold the files that were built or published, and no others.

    Takes no lock. A change under way can look like a problem for a moment, so it counts only if it is still there a
    second later.
    Raises BuildError, with one sentence that names the file and the fix, for a file that is changed, missing or
    unknown, for a link, and for a file or folder that every user of the machine may change. Whoever may write the
    folder can change the manifest too: this is not a defence against them.
    """
    if not (repository / MANIFEST).is_file():
        raise BuildError(f"{repository} has no {MANIFEST}, so nothing says which code is its own: build it again.")
    if next(_problems(repository), None) is None:
        return
    time.sleep(_SETTLE_SECONDS)
    problem = next(_problems(repository), None)
    if problem is not None:
        raise BuildError(problem)


def check_permissions(repository: Path) -> None:
    """Raises BuildError, naming it, for a file or folder that every user of the machine may change.

    In a folder that is mounted read-only, the permissions say nothing.
    """
    problem = next(_open_to_all(repository), None)
    if problem is not None:
        raise BuildError(problem)


def _problems(repository: Path) -> Iterator[str]:
    yield from _open_to_all(repository)
    known = read_manifest(repository)
    found = set()
    for model in sorted(path for path in repository.iterdir() if path.is_symlink() or path.is_dir()):
        for path in _below(model):
            name = path.relative_to(repository).as_posix()
            if path.is_symlink():
                yield f"{path} is a link, which the manifest does not cover: put the file or folder itself there."
            elif name not in known:
                yield (
                    f"{path} was neither built nor published (it is not in {MANIFEST}), and Triton might run it: move "
                    f"it out of {repository}."
                )
            elif path.suffix != _GRAPH and hashes_of([path], repository)[name] != known[name]:
                yield (
                    f"{path} has been changed (its SHA-256 is not the one in {MANIFEST}): put the file back, or run "
                    f"espalier upgrade {repository}, which restores all hand-written models."
                )
            found.add(name)
    for name in sorted(known.keys() - found):
        yield (
            f"{repository / name} is missing: put the file back, run espalier upgrade {repository} if it belongs to a "
            "hand-written model, or build the repository again."
        )


def _below(model: Path) -> Iterator[Path]:
    """Yields every file and link of a model's folder. Links are not followed."""
    if model.is_symlink():
        yield model
        return
    for folder, folders, files in os.walk(model):
        folders[:] = sorted(name for name in folders if name not in NOT_SERVED)
        here = Path(folder)
        yield from (here / name for name in folders if (here / name).is_symlink())
        yield from (here / name for name in sorted(files))


def _open_to_all(repository: Path) -> Iterator[str]:
    """Names what every user may change. In a folder with the sticky bit, as /tmp, they may not rename others' files."""
    if os.statvfs(repository).f_flag & os.ST_RDONLY:  # where nobody can write, the permissions say nothing
        return
    for above in repository.resolve().parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield (
                f"every user may replace {repository}, because {above} is open to all: run chmod o-w {above}, or move "
                "the repository."
            )
    for folder, folders, files in os.walk(repository):
        for path in (Path(folder), *(Path(folder, name) for name in (*folders, *files))):
            with suppress(FileNotFoundError):  # removed after it was listed
                mode = path.lstat().st_mode
                if mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
                    yield f"every user may change {path}: run chmod -R o-w {repository}."
