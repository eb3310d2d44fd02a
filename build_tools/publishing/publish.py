"""Publishes a new version of a task, on a server that goes on serving."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from build_tools.errors import BuildError, NotNowError
from build_tools.progress import Progress
from build_tools.publishing.redefinition import check_redefinition
from build_tools.publishing.registry_transitions import KEPT, check_no_candidate
from build_tools.publishing.release import release
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.sources import open_artefact, open_checkpoint
from build_tools.publishing.staged_version import stage_version
from build_tools.repository.locking import repository_lock
from build_tools.repository.precision import Precision
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.repository.staging import staging_folder

_ATTEMPTS = 10


def publish(
    source: Path,
    repository: Path,
    server: Server,
    canary: CanaryTerms | None = None,
    shadow: bool = False,
    precision: Precision | None = None,
    encoder: str | None = None,
    keep: int = KEPT,
    redefine: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[str, int]:
    """Publishes an artefact (a file), or a task checkpoint (a folder), which is packaged first.

    Returns the task and its new version. canary, shadow: try the version first; without either it is live at once.
    precision: of the branch; None keeps that of the live version, or fp32 for a new task. encoder: for trunk weights
    that the repository does not have; None uses the trunk's own encoder and allows no new trunk. An artefact has both
    already. keep: versions of the task that stay on disk. redefine: the kind, labels or origin may break with those of
    the live version.
    Raises BuildError, which names the step, if anything fails. Before registry.json is replaced, a failure is undone
    and the live version stays live. After it the version stays published, and the message says so.
    """
    repository = repository.resolve()
    progress = Progress(f"{source} is not published: it failed", report)
    with progress.failures_told(), ExitStack() as stack:
        is_file = source.is_file()
        progress.at("artefact" if is_file else "checkpoint")
        if not source.exists():
            raise BuildError("it does not exist: give an artefact (a file) or a task checkpoint (a folder).")
        with repository_lock(repository, report):
            staging = stack.enter_context(staging_folder(repository))
        if is_file:
            record, prepare = open_artefact(source, staging, precision, encoder)
        else:
            record, prepare = open_checkpoint(source, repository, precision, encoder, progress)
        registry = read_registry(repository)
        check_no_candidate(registry, record.task)  # before the work; checked again when the version is released
        check_redefinition(record, registry, redefine)
        for attempt in range(_ATTEMPTS):
            place = staging / str(attempt)
            place.mkdir()
            try:
                artefact = prepare(registry, place)
                progress.at("trunk and tokenizers")
                staged = stage_version(artefact, repository, registry, place, progress)
            except Exception:
                before, registry = registry, read_registry(repository)
                if registry.trunks == before.trunks:
                    raise
                continue  # another command may have removed the trunk meanwhile
            progress.at("its turn")
            with ServedRepository.locked(repository, server, report) as served:
                settle(served)
                if staged.plan.still_holds(served.registry):
                    return record.task, release(staged, served, canary, shadow, keep, redefine, progress)
                registry = served.registry
        raise NotNowError(f"other commands have changed the trunk {_ATTEMPTS} times meanwhile: try again.")
