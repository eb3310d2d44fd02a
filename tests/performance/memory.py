"""Memory of a process tree, and a guard that ends a server before the machine has none left."""

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from build_tools.serving.triton.server import TritonServer

GIB = 1 << 30
LEAST_AVAILABLE = GIB


def available() -> int:
    """MemAvailable in bytes."""
    return int(psutil.virtual_memory().available)


def process_pss(pid: int) -> int:
    """Proportional set size in bytes: own memory, and of what is shared its share."""
    return int(psutil.Process(pid).memory_full_info().pss)


def tree_pss(pid: int, without_models: Sequence[str] = ()) -> int:
    """PSS in bytes of a tritonserver and all its model processes, except those of `without_models`."""
    return sum(
        process_pss(process.pid)
        for process in _tree(pid)
        if not any(_serves(process, model) for model in without_models)
    )


def model_pss(pid: int, prefix: str) -> list[int]:
    """PSS in bytes of each process that serves a model whose name begins with `prefix`."""
    return [process_pss(process.pid) for process in _tree(pid) if _serves(process, prefix, is_prefix=True)]


@contextmanager
def guarded(server: "TritonServer") -> "Iterator[threading.Event]":
    """Kills the server, whose `start` then raises, when less than LEAST_AVAILABLE is left; the event then is set."""
    done, killed = threading.Event(), threading.Event()

    def watch() -> None:
        from build_tools.serving.errors import ServeError

        while not done.wait(0.1):
            if available() < LEAST_AVAILABLE and not killed.is_set():
                with suppress(ServeError, ProcessLookupError):  # not started yet, or ended already
                    os.killpg(server.pid, signal.SIGKILL)
                    killed.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield killed
    finally:
        done.set()
        watcher.join()


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _serves(process: psutil.Process, model: str, is_prefix: bool = False) -> bool:
    # A model's process is started with the path of its model.py, or of its backend and the model's name.
    pieces = {piece for argument in process.cmdline()[1:] for piece in argument.replace("/", " ").split()}
    return any(piece.startswith(model) if is_prefix else piece == model for piece in pieces)
