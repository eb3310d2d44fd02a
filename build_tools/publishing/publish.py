"""A checkpoint becomes a version of its task, on a server that goes on serving."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.progress import Progress
from build_tools.publishing.reconciled import reconciled
from build_tools.publishing.registry_transitions import KEPT, check_no_candidate
from build_tools.publishing.release import Change
from build_tools.publishing.running_server import Server
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
    report: Callable[[str], None] = lambda _: None,
) -> tuple[str, int]:
    """Publishes a task checkpoint. Returns the task and its new version.

    canary, shadow: try it first; without either it is live at once. precision: of the branch; None takes that of the
    live version, and fp32 for a new task. encoder: for trunk weights that the repository has not; None takes the one
    that the trunk is made of, and allows no new trunk. keep: versions of the task that stay on disk.
    Raises BuildError, naming the step, if anything fails. Until registry.json is replaced what was live then is live,
    and nothing of this is left; after it the version stays published, and the message says so.
    """
    repository = repository.resolve()
    progress = Progress(f"{folder} is not published: it failed", report)
    with progress.failures_told(), ExitStack() as stack:
        progress.at("checkpoint")
        checkpoint = load_checkpoint(folder)
        task = checkpoint.record.task
        registry = read_registry(repository)
        check_no_candidate(registry, task)  # before the work; asked again when it is done
        with repository_lock(repository, report):
            staging = stack.enter_context(staging_folder(repository))
        for attempt in range(_ATTEMPTS):
            progress.at("trunk")
            plan = plan_trunk(checkpoint.record, registry, encoder)
            wanted = precision or _live_precision(registry, task)
            try:
                prepared = stage_version(
                    checkpoint, repository, registry, plan, wanted, staging / str(attempt), progress
                )
            except Exception:
                registry = read_registry(repository)
                if plan.still_holds(registry):
                    raise
                continue  # the trunk that it began with may be gone
            progress.at("its turn")
            with reconciled(repository, server, report) as registry:
                if plan.still_holds(registry):
                    change = Change(checkpoint, prepared, repository, registry, server, progress)
                    return task, change.carry_out(canary, shadow, keep)
        raise BuildError("other commands change the trunk all the time: try again.")


def _live_precision(registry: Registry, task: str) -> Precision:
    return registry.tasks[task].live_version.precision if task in registry.tasks else Precision.FP32
