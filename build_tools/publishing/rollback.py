"""Ends a candidate, or makes the previous version live again."""

from collections.abc import Callable
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import rolled_back, task_entry
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.switch_live import switch_live
from build_tools.repository.audit import last_withdrawals


def rollback(
    task: str,
    repository: Path,
    server: Server,
    also_after_withdrawal: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[int, int]:
    """Takes back a candidate, or else the live version. Returns (the version that no longer answers, the live one).

    The previous version stays loaded, so it answers at once. What killed commands have left is not mended here, because
    somebody is waiting.
    also_after_withdrawal: undo the live version even if the last change was a canary that was withdrawn.
    Raises BuildError if there is no version to go back to, if the last change was a withdrawn canary, or if the version
    is live but a later step fails.
    """
    with ServedRepository.locked(repository, server, report) as served:
        before = task_entry(served.registry, task)
        after = rolled_back(served.registry, task, server.now())
        withdrawal = last_withdrawals(repository).get(task)
        if before.candidate is None and withdrawal and not also_after_withdrawal:
            who = "espalier tend" if withdrawal.get("by") == "tend" else "a router"
            raise BuildError(
                f"{who} withdrew canary {withdrawal['version']} of {task} at {withdrawal['at']}, and version "
                f"{before.live} is live: to undo the live version too, add --live."
            )
        dropped = before.live if before.candidate is None else before.candidate
        return dropped, switch_live(served, after, task, "rollback", dropped=dropped)
