"""Folds live branches and their trunk into one graph, on a server that goes on serving."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from build_tools.compaction.fused_release import release_fused
from build_tools.compaction.plan import plan_compaction, share_outside
from build_tools.compaction.room_for_both import check_room
from build_tools.compaction.staged_fused import graph_files, stage_fused
from build_tools.errors import BuildError
from build_tools.progress import Progress
from build_tools.publishing.leaving import wait_until_left
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.repository.locking import repository_lock, writing_to
from build_tools.repository.registry import KEEP_LOADED_SECONDS, read_registry
from build_tools.repository.staging import staging_folder

COMPACT_LOCK = "compact.lock"
_ATTEMPTS = 3
_ENOUGH = 0.5  # of the versions in the graph must still be live when it is ready


def compact(
    repository: Path,
    server: Server,
    tasks: Collection[str] | None = None,
    keep_loaded: int = KEEP_LOADED_SECONDS,
    when_needed: float = 0.0,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Makes one graph of each trunk and the live versions of `tasks`, None for all. Returns {task: the model it is in}.

    keep_loaded: seconds for which the branch models of the previous versions stay loaded. when_needed: does nothing
    unless more than this share (0..1) of what can go in runs outside; 0 always compacts what has changed. The graphs
    are made and checked without the repository's lock, so that nobody waits.
    Raises BuildError, which names the step, if anything fails. Before registry.json is replaced, a failure is undone.
    """
    repository = repository.resolve()
    progress = Progress(f"{repository} is not compacted: it failed", report)
    with progress.failures_told(), ExitStack() as stack:
        progress.at("its turn")
        try:
            with writing_to(repository):
                stack.enter_context(FileLock(repository / COMPACT_LOCK, timeout=0))
        except Timeout:
            raise BuildError("another command compacts it already: wait for that one.") from None
        registry = read_registry(repository)
        with repository_lock(repository, report):
            staging = stack.enter_context(staging_folder(repository))
        for attempt in range(_ATTEMPTS):
            progress.at("plan")
            plans, left_out = plan_compaction(registry, repository, tasks)
            for sentence in left_out if attempt == 0 else ():
                report(sentence)
            outside = share_outside(registry, plans)
            if when_needed and outside <= when_needed:
                report(f"not needed: of the tasks that can be in the fused graph, {outside:.0%} run outside it")
                return {}
            plans = [plan for plan in plans if not plan.is_done(registry)]
            if not plans:
                report("nothing to do: the fused graph holds these versions already")
                return {}
            for plan in plans:
                if dropped := plan.dropped(registry):
                    report(f"the new graph is without {', '.join(dropped)}: branch models answer for them again")
            files = list(chain.from_iterable(graph_files(repository, registry, plan) for plan in plans))
            try:
                check_room(repository, sum(file.stat().st_size for file in files))
                staged = [
                    stage_fused(repository, registry, plan, staging / f"{attempt}.{plan.trunk}", progress)
                    for plan in plans
                ]
            except Exception:
                after = read_registry(repository)
                if all(plan.still_holds(after) for plan in plans):
                    raise
                registry = after  # another command has removed a version, or the trunk's, that was to go in
                continue
            progress.at("its turn")
            with ServedRepository.locked(repository, server, report) as served:
                settle(served)
                registry = served.registry
                if all(
                    one.trunk in registry.trunks and len(one.live_in(registry)) >= _ENOUGH * len(one.tasks)
                    for one in plans
                ):
                    done = release_fused(staged, served, keep_loaded, progress)
                    break
        else:
            raise BuildError(f"other commands have changed its tasks {_ATTEMPTS} times meanwhile: try again.")
        _unload_what_is_inside(repository, server, served.registry.generation, progress)
        return done


def _unload_what_is_inside(repository: Path, server: Server, generation: int, progress: Progress) -> None:
    """Trunk and branches, when no batch in flight can ask for them any more. Others may change the repository first."""
    progress.at("unloading what is in the fused graph")
    wait_until_left(server, generation, progress.report)
    with ServedRepository.locked(repository, server, progress.report) as served:
        settle(served)
