"""Publishes the artefact of a case, once, however often tend is killed meanwhile."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from build_tools.artefact.unseal import unseal
from build_tools.errors import BuildError, NotNowError
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import Server
from build_tools.repository.audit import published_of
from build_tools.repository.registry import Registry, read_registry
from build_tools.tending.case import Case, Outcome, Started


def apply(case: Case, repository: Path, server: Server, report: Callable[[str], None]) -> Outcome:
    """Publishes it, unless an earlier try already has. Returns what came of it.

    Raises NotNowError where the artefact is not to blame: a full disk, servers that are not ready in time, a lock that
    another command holds.
    """
    if unreadable := case.unreadable():
        return Outcome.now(
            problem=f"{unreadable} may not be read by espalier tend: hand it in again as a file that its user may read"
        )
    done = _published_already(case, repository)
    if done is not None:
        return done
    registry = read_registry(repository)
    case.start(Started(newest=_newest(registry)))
    try:
        options = case.options()
        task, version = publish(
            case.artefact,
            repository,
            server,
            options.canary,
            options.shadow,
            keep=options.keep,
            redefine=options.redefine,
            report=report,
        )
    except BuildError as error:
        problem = str(error).replace(str(case.artefact), case.name)
        done = _published_already(case, repository)
        if done is not None:  # all that counts was done before it failed
            return done.model_copy(update={"problem": problem})
        if isinstance(error.__cause__, OSError | NotNowError):
            raise NotNowError(problem) from error
        return Outcome.now(problem=problem)
    return Outcome.now(task, version)


def _published_already(case: Case, repository: Path) -> Outcome | None:
    """Finds the version that an earlier try has made: newer than all that were there, and of the same checkpoint.

    Also one that is gone since: what somebody has retired while tend was away must not come back by itself.
    """
    started = case.started()
    if started is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="espalier-") as folder:
            record = unseal(case.artefact, Path(folder, "artefact")).record
    except BuildError:  # it is no artefact, so that no try can have published it
        return None
    entry = read_registry(repository).tasks.get(record.task)
    versions = published_of(repository, record.task, record.sha256)
    if entry is not None:  # tend may have been killed before it wrote the line
        versions |= {int(one) for one, there in entry.versions.items() if there.origin.checkpoint == record.sha256}
    made = [number for number in versions if number > started.newest.get(record.task, 0)]
    return Outcome.now(record.task, min(made)) if made else None


def _newest(registry: Registry) -> dict[str, int]:
    """The highest number that a version of each task has ever had."""
    newest = {task: entry.version for task, entry in registry.retired.items()}
    return newest | {task: entry.newest for task, entry in registry.tasks.items()}
