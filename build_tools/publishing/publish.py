"""Publishes a checkpoint as a new version of its task, on a server that goes on serving."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.progress import Progress
from build_tools.publishing.redefinition import check_redefinition
from build_tools.publishing.registry_transitions import KEPT, check_no_candidate
from build_tools.publishing.release import release
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.staged_version import stage_version
from build_tools.publishing.trunk_plan import plan_trunk
from build_tools.repository.locking import repository_lock
from build_tools.repository.precision import Precision
from build_tools.repository.registry import CanaryTerms, Registry, read_registry
from build_tools.repository.staging import staging_folder
from training.checkpoint import load_checkpoint

_ATTEMPTS = 10


def publish(
    folder: Path,
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
    """Publishes the task checkpoint in `folder`. Returns the task and its new version.

    canary, shadow: try the version first; without either it is live at once. precision: of the branch; None keeps that
    of the live version, or fp32 for a new task. encoder: for trunk weights that the repository does not have; None uses
    the trunk's own encoder and allows no new trunk. keep: versions of the task that stay on disk. redefine: the kind,
    labels or origin may break with those of the live version.
    Raises BuildError, which names the step, if anything fails. Before registry.json is replaced, a failure is undone
    and the live version stays live. After it the version stays published, and the message says so.
    """
    repository = repository.resolve()
    progress = Progress(f"{folder} is not published: it failed", report)
    with progress.failures_told(), ExitStack() as stack:
        progress.at("checkpoint")
        checkpoint = load_checkpoint(folder)
        task = checkpoint.record.task
        registry = read_registry(repository)
        check_no_candidate(registry, task)  # before the work; checked again when the version is released
        check_redefinition(checkpoint.record, registry, redefine)
        with repository_lock(repository, report):
            staging = stack.enter_context(staging_folder(repository))
        for attempt in range(_ATTEMPTS):
            progress.at("trunk")
            plan = plan_trunk(checkpoint.record, registry, encoder)
            wanted = precision or _live_precision(registry, task)
            try:
                staged = stage_version(
                    checkpoint, repository, registry.runtime, plan, wanted, staging / str(attempt), progress
                )
            except Exception:
                registry = read_registry(repository)
                if plan.still_holds(registry):
                    raise
                continue  # another command may have removed the trunk meanwhile
            progress.at("its turn")
            with ServedRepository.locked(repository, server, report) as served:
                settle(served)
                if plan.still_holds(served.registry):
                    return task, release(staged, served, canary, shadow, keep, redefine, progress)
                registry = served.registry
        raise BuildError(f"other commands have changed the trunk {_ATTEMPTS} times meanwhile: try again.")


def _live_precision(registry: Registry, task: str) -> Precision:
    return registry.tasks[task].live_version.precision if task in registry.tasks else Precision.FP32
