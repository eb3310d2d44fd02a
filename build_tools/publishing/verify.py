"""Checks that a repository is as it was built and published."""

import time
from contextlib import suppress
from pathlib import Path

from build_tools.publishing.running_server import INFER_SECONDS, Server
from build_tools.publishing.served_answers import ALL_ROWS, silent_versions
from build_tools.repository.manifest import MANIFEST, hashes_of, read_manifest, served_files
from build_tools.repository.registry import missing_versions, read_registry

_SETTLE_SECONDS = 1.0


def verify(repository: Path) -> list[str]:
    """Returns a sentence for each file that is damaged, missing or unknown.

    Takes no lock, so nobody waits for it. A change under way can look like damage for a moment, so a problem
    counts only if it is still there a second later.
    """
    problems = _problems(repository)
    if problems:
        time.sleep(_SETTLE_SECONDS)
        lasting = set(_problems(repository))
        problems = [problem for problem in problems if problem in lasting]
    return problems


def wrong_answers(repository: Path, server: Server) -> list[str]:
    """Returns a sentence for each loaded version that does not answer all of its golden examples, on a running server.

    Raises BuildError if the server does not answer at all.
    """
    registry = read_registry(repository)
    silent = silent_versions(server, repository, registry, server.ready_versions(), ALL_ROWS, INFER_SECONDS)
    return [
        f"version {number} of {task} does not answer: {why}"
        for task, versions in silent.items()
        for number, why in sorted(versions.items())
    ]


def _problems(repository: Path) -> list[str]:
    registry, known = read_registry(repository), read_manifest(repository)
    if not known:
        return [f"{repository} has no {MANIFEST}: build it again."]
    found: dict[str, str] = {}
    for file in served_files(repository):
        with suppress(FileNotFoundError):  # removed after it was listed
            found |= hashes_of([file], repository)
    problems = [f"{path} is missing." for path in sorted(known.keys() - found.keys())]
    problems += [
        f"{path} is not in {MANIFEST}: it was neither built nor published." for path in sorted(found.keys() - known)
    ]
    problems += [
        f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}."
        for path in sorted(found.keys() & known.keys())
        if found[path] != known[path]
    ]
    return problems + missing_versions(repository, registry)
