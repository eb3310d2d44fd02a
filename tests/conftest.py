"""What tests of several folders share, and what keeps a run from hanging.

Each test has a limit (`timeout` in pyproject.toml), which raises an error in the test. The hooks below cover what this
cannot end: a wait in a `finally`, the end of a fixture, of a thread or of a child. They print all stacks and end the
process; what has failed was printed before. `make test` starts no second worker for one that has died.
"""

import faulthandler
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import psutil
import pytest

AFTER_THE_LIMIT_SECONDS = 60.0  # for the error to leave the test
END_SECONDS = 120.0  # of a process whose tests have ended

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_standard_error = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the standard error: it is captured while a test runs."""
    config.stash[_standard_error] = os.dup(2)


def _end(config: pytest.Config) -> None:
    """Ends this process and its children, which would hold the pipes that a worker shares with its parent."""
    faulthandler.dump_traceback(config.stash[_standard_error])
    _kill_children()
    os._exit(1)


def _kill_children() -> list[str]:
    """Returns what was still running."""
    left = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            # Python's own tracker ends with its parent.
            if child.status() != psutil.STATUS_ZOMBIE and "multiprocessing.resource_tracker" not in str(
                child.cmdline()
            ):
                left.append(f"{child.pid} {' '.join(child.cmdline())}")
                child.kill()
    return left


def _ends_if_it_takes_too_long(item: pytest.Item) -> Iterator[None]:
    given = item.config.getoption("timeout")
    limit = float(item.config.getini("timeout") if given is None else given)
    watch = Timer(limit + AFTER_THE_LIMIT_SECONDS, _end, (item.config,))
    watch.daemon = True
    if limit:  # --timeout 0 is for debuggers
        watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


# Each on its own: the limit of a test is used up when it has raised its error.
pytest_runtest_setup = pytest.hookimpl(wrapper=True, tryfirst=True)(_ends_if_it_takes_too_long)
pytest_runtest_call = pytest.hookimpl(wrapper=True, tryfirst=True)(_ends_if_it_takes_too_long)
pytest_runtest_teardown = pytest.hookimpl(wrapper=True, tryfirst=True)(_ends_if_it_takes_too_long)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Prints a failure as it happens, because a run that is killed prints no summary."""
    if report.failed and not IS_WORKER:  # a worker hands its reports on to the process that prints
        print(f"\nFAILED ({report.when}) {report.nodeid}\n{report.longreprtext}", file=sys.__stderr__, flush=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends the children that tests have left, for which Python would wait, and limits what is still to come."""
    for left in _kill_children():
        print(f"\nLEFT BY A TEST: {left}", file=sys.__stderr__, flush=True)
    if not IS_WORKER:  # a worker waits until the others have finished, and is then ended by xdist
        watch = Timer(END_SECONDS, _end, (session.config,))
        watch.daemon = True
        watch.start()


@dataclass(frozen=True)
class GraphCache:
    """The user's cache of traced graphs, empty at first.

    folder: the user's cache folder. new_process: makes this process know no graph, like a process that just started.
    """

    folder: Path
    new_process: Callable[[], None]


@pytest.fixture
def graph_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GraphCache:
    """An empty cache of traced graphs for one test."""
    from build_tools.export import trace_cache  # here, because most tests do without onnx

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache = GraphCache(tmp_path / "cache", lambda: monkeypatch.setattr(trace_cache, "_graphs", {}))
    cache.new_process()
    return cache
