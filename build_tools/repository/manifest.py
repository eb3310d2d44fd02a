"""manifest.json: the SHA-256 of every file that Triton serves from a repository."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from build_tools.errors import BuildError
from espalier_json import parse_json
from training.atomic_write import replace_file

MANIFEST = "manifest.json"  # our backends read it too, before they load a model
NOT_SERVED = {"__pycache__"}  # made anew from the sources each time a server starts


def write_manifest(repository: Path) -> None:
    """Writes manifest.json for all files that the repository has now."""
    _write(repository, hashes_of(served_files(repository), repository))


def served_files(repository: Path) -> Iterator[Path]:
    """Yields the files that Triton may read: those in the models' folders."""
    for folder in sorted(path for path in repository.iterdir() if path.is_dir()):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not NOT_SERVED & set(file.parts):
                yield file


def add_to_manifest(repository: Path, hashes: dict[str, str]) -> None:
    """Adds files, by their path in the repository, or replaces their hashes. Call it before a file is moved in.

    Raises BuildError if there is no manifest: a new one with only these files would keep all others from being served.
    """
    if not (repository / MANIFEST).is_file():
        raise BuildError(f"{repository} has no {MANIFEST}: build it again.")
    _write(repository, read_manifest(repository) | hashes)


def forget_missing(repository: Path) -> None:
    """Removes the entries of files that do not exist."""
    hashes = read_manifest(repository)
    existing = {path: digest for path, digest in hashes.items() if (repository / path).is_file()}
    if existing != hashes:
        _write(repository, existing)


def hashes_of(files: Iterable[Path], root: Path) -> dict[str, str]:
    """Returns {path below root: SHA-256}."""
    return {file.relative_to(root).as_posix(): _sha256(file) for file in files}


def read_manifest(repository: Path) -> dict[str, str]:
    """Returns {path: SHA-256}; empty if there is no manifest. Raises BuildError if it is damaged."""
    file = repository / MANIFEST
    if not file.is_file():
        return {}
    try:
        return dict(parse_json(file.read_bytes())["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{file} is damaged: build the repository again.") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write(repository: Path, hashes: Mapping[str, str]) -> None:
    text = json.dumps({"files": dict(sorted(hashes.items()))}, indent=1) + "\n"
    replace_file(repository / MANIFEST, text, staged_in=repository)
