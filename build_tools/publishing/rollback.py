"""The version before is live again; or what is a candidate is not any more."""

from collections.abc import Callable
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import rolled_back, task_entry
from build_tools.publishing.running_server import Server
from build_tools.publishing.switch_live import switch
from build_tools.repository.audit import last_withdrawal
from build_tools.repository.locking import repository_lock
from build_tools.repository.registry import read_registry


def rollback(
    task: str,
    repository: Path,
    server: Server,
    also_after_withdrawal: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[int, int]:
    """Takes back a candidate, or else the live version. Returns (the version that no longer answers, the live one).

    The previous version is loaded all the time, so that nothing has to be loaded before it answers; what earlier
    commands have left is not looked after here, because somebody waits.
    Raises BuildError if nothing is left to go back to, or if it is live and what follows failed; and, unless
    also_after_withdrawal, if what was a candidate has been withdrawn by a router: whoever meant that must not take back
    the live version.
    """
    with repository_lock(repository, report):
        registry = read_registry(repository)
        before = task_entry(registry, task)
        after = rolled_back(registry, task, server.now())
        withdrawal = last_withdrawal(repository, task)
        if before.candidate is None and withdrawal and not also_after_withdrawal:
            raise BuildError(
                f"canary {withdrawal['version']} of {task} was withdrawn by itself at {withdrawal['at']}, and version "
                f"{before.live} is live: to take that back too, say --live."
            )
        dropped = before.live if before.candidate is None else before.candidate
        return dropped, switch(repository, registry, after, task, server, "rollback", dropped=dropped)
