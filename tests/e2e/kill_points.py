"""Publishes that are killed: `python kill_points.py REPOSITORY URL CHECKPOINT`, one for each share read from stdin.

Share 0.5 is killed (SIGKILL) half way through what a publish does to files; a line then says what it was about to do.
The whole is counted on a copy of the repository that no server serves.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from build_tools.publishing.publish import publish
from build_tools.publishing.server import NoServer, RunningServer

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def changes_files(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event (PEP 578) is of something that changes files."""
    return event in CHANGES or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


def count(repository: Path, checkpoint: Path) -> int:
    """How many changes a publish makes, up to the one that makes it live."""
    number, live = 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal number, live
        number += changes_files(event, arguments) and not live
        live = live or (event == "os.rename" and Path(arguments[1]).name == "registry.json")

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "repository")
        shutil.copytree(repository, copy, ignore=shutil.ignore_patterns("*.lock"))
        sys.addaudithook(hook)
        publish(checkpoint, copy, NoServer())
        return number


def killed_before(number: int, repository: Path, url: str, checkpoint: Path) -> None:
    """Publishes, and ends this process before the change of that number."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if changes_files(event, arguments):
            seen += 1
            if seen == number:
                print(f"{number}: {event} {arguments[0]}", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    with RunningServer(url) as server:
        publish(checkpoint, repository, server)


def main(repository: Path, url: str, checkpoint: Path) -> None:
    """Each publish is a process of its own, forked off before anything has started a thread."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(count(repository, checkpoint)).encode())
        os._exit(0)
    os.wait()
    whole = int(os.read(reading, 100))
    for line in sys.stdin:
        share = float(line)
        child = os.fork()
        if child == 0:
            killed_before(1 + int(share * (whole - 1)), repository, url, checkpoint)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"the publish to be killed at {share} came to its end: {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
