"""Changes of a repository that are killed: `python kill_points.py REPOSITORY URL VERB CHECKPOINT_OR_TASKS`.

Each line read from stdin is one: "before 0.5" is killed (SIGKILL) half way through what the verb does to files until
registry.json is replaced, "before 1" right before that replace, "after 0.5" half way through the rest. A line then says
at which step and operation it was. All operations are noted beforehand, on a copy of the repository without a server.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from file_changes import changes_files, replaces_registry

from build_tools.compaction.compact import compact
from build_tools.export.onnx_export import export_branch
from build_tools.publishing.publish import publish
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import NoServer, RunningServer, Server
from build_tools.repository.control_key import read_control_key
from build_tools.repository.runtime import Runtime
from training.checkpoint import load_checkpoint

WITHOUT_SERVER = "golden examples"  # the step of a publish in which its graphs are loaded here, where no server runs
NO_SERVER = "none"  # in place of a URL
Verb = Callable[[Path, Server], object]

steps = [""]  # of a publish or a compaction, as it reports them


def verb_of(name: str, given: str) -> Verb:
    """What changes a repository."""
    if name == "publish":
        _trace(Path(given))
    verbs: dict[str, Verb] = {
        "publish": lambda folder, server: publish(Path(given), folder, server, redefine=True, report=steps.append),
        "rollback": lambda repository, server: rollback(given, repository, server),
        "retire": lambda repository, server: retire(given, repository, server),
        "compact": lambda repository, server: compact(repository, server, given.split(","), report=steps.append),
    }
    return verbs[name]


def _trace(checkpoint: Path) -> None:
    """So that the processes forked off from this one find the graph traced: else each would take seconds for it."""
    torch.set_num_threads(1)  # starts none
    with tempfile.TemporaryDirectory() as folder:
        export_branch(load_checkpoint(checkpoint).branch, Path(folder, "model.onnx"), Runtime.OPENVINO)


def operations(repository: Path, verb: Verb) -> dict[str, list[str]]:
    """The step of each change up to the one that replaces registry.json, and of each after it."""
    found: dict[str, list[str]] = {"before": [], "after": []}
    replaced = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal replaced
        if changes_files(event, arguments) and steps[-1] != WITHOUT_SERVER:
            found["after" if replaced else "before"].append(steps[-1])
        replaced = replaced or replaces_registry(event, arguments)

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "repository")
        shutil.copytree(repository, copy, ignore=shutil.ignore_patterns("*.lock"))
        sys.addaudithook(hook)
        verb(copy, NoServer())
        return {part: list(noted) for part, noted in found.items()}  # before the copy's own removal is noted too


def killed_at(step: str, number: int, after: bool, repository: Path, url: str, verb: Verb) -> None:
    """Begins the change, and ends this process before the file operation of that number in that step.

    Counted by steps, because a change begins with clearing away what those killed before it have left.
    after: only what follows the replace of registry.json counts; else that one is the last before which it is ended.
    """
    seen = 0
    replaced = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen, replaced
        if replaced == after and changes_files(event, arguments):
            seen += steps[-1] == step
            if (steps[-1], seen) == (step, number) or (not after and replaces_registry(event, arguments)):
                print(f"{steps[-1]}, {seen}: {event} {arguments[0]}", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        replaced = replaced or replaces_registry(event, arguments)

    sys.addaudithook(hook)
    if url == NO_SERVER:
        verb(repository, NoServer())
        return
    with RunningServer(url, read_control_key(repository)) as server:
        verb(repository, server)


def main(repository: Path, url: str, verb: Verb) -> None:
    """Each change is a process of its own, forked off before anything has started a thread."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(operations(repository, verb)).encode())
        os._exit(0)
    os.wait()
    noted = json.loads(os.read(reading, 2**16))
    for line in sys.stdin:
        part, share = line.split()
        place = int(float(share) * (len(noted[part]) - 1))
        step = noted[part][place]
        child = os.fork()
        if child == 0:
            killed_at(step, 1 + noted[part][:place].count(step), part == "after", repository, url, verb)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"what was to be killed at {line.strip()} came to its end: {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], verb_of(sys.argv[3], sys.argv[4]))
