"""What a drill does to the processes of a server, and what the callers saw of it."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from drill_size import drill_size
from publishing_site import Site

from build_tools.serving.supervisor import Supervisor
from build_tools.serving.watch.model_processes import ProcessTable

HERE = Path(__file__).parent
# The short drills ask whether all comes back: other work on the machine may hold them up.
BACK_SECONDS = drill_size(30.0, 10.0)
HEALED_SECONDS = drill_size(45.0, 15.0)
SERVER = "tritonserver"
QUIET_SECONDS = 1.0  # after which nothing may be seen of a failure any more


class Seen:
    """What the callers have seen: (caller, when it asked, seconds, {task: error}) of each request."""

    def __init__(self, noted: list[tuple[str, float, float, dict[str, str]]]) -> None:
        self._noted = noted

    def failures(self, since: float, until: float) -> list[tuple[str, float, dict[str, str]]]:
        """(caller, seconds from `since` to the answer, errors) of the requests of this time that failed."""
        return [
            (caller, began + seconds - since, errors)
            for caller, began, seconds, errors in self._noted
            if errors and since <= began < until
        ]

    def seconds(self, since: float, until: float) -> list[float]:
        """How long the requests took that began in this time."""
        return [seconds for _, began, seconds, _ in self._noted if since <= began < until]

    def p99(self, caller: str, since: float, until: float) -> float:
        """Seconds."""
        times = [seconds for name, began, seconds, _ in self._noted if name == caller and since <= began < until]
        return statistics.quantiles(times, n=100)[98]


@contextmanager
def timed_load(url: str, folder: Path) -> Iterator[Callable[[], Seen]]:
    """Callers ask from here on. Called, it ends them and returns what they have seen."""
    stop, result = folder / "stop", folder / "result.json"
    program = [sys.executable, str(HERE / "timed_load.py"), url, str(stop), str(result)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    def end() -> Seen:
        stop.touch()
        assert process.wait(60) == 0
        return Seen(json.loads(result.read_text()))

    try:
        yield end
    finally:
        stop.touch()
        process.wait(60)


def processes_of(server: Supervisor, model: str) -> list[int]:
    """The processes of a model, or of the gate."""
    if model == "gate":
        return server.gate_pids
    assert server.triton_pid is not None
    return [one.pid for one in ProcessTable(server.triton_pid).read() if one.version[0] == model]


def send(server: Supervisor, model: str, number: signal.Signals) -> int:
    """Sends a signal to one process of a model. Returns its id."""
    pid = processes_of(server, model)[0]
    os.kill(pid, number)
    return pid


def wait_until_back(server: Supervisor, restarts: dict[str, int], seconds: float = BACK_SECONDS) -> float:
    """Waits until each of these models has been restarted more often than this, and all is ready. Returns how long.

    A restart of tritonserver itself counts for all; see ended_itself.
    """
    began = time.monotonic()
    while not _is_back(server, restarts):
        assert time.monotonic() - began < seconds, f"not back: {server.state}"
        time.sleep(0.02)
    return time.monotonic() - began


def restarts(server: Supervisor, *models: str) -> dict[str, int]:
    """How often these have been restarted, and tritonserver."""
    state = server.state
    return {model: state.models[model].restarts for model in models} | {SERVER: state.server_restarts}


def _is_back(server: Supervisor, restarts: dict[str, int]) -> bool:
    state = server.state
    models = state.models
    now = {model: one.restarts for model, one in models.items()}
    is_newer = state.server_restarts > restarts.get(SERVER, state.server_restarts) or all(
        now.get(model, before) > before for model, before in restarts.items() if model != SERVER
    )
    return is_newer and state.ready and all(one.ready for one in models.values())


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Waits, and returns how long."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - began


def traces(pids: list[int], prefix: str) -> list[object]:
    """Those of these processes that live, and the shared memory and temporary folders of this prefix."""
    alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    return [*alive, *Path("/dev/shm").glob(f"{prefix}*")]


def ended_itself(site: Site, pid: int) -> bool:
    """Whether tritonserver (`pid`) ended by itself, which it seldom does when one of its processes is killed.

    It does if that process held a lock in the memory that they share. Raises AssertionError if it was started again for
    any other reason.
    """
    if site.server.triton_pid == pid:
        return False
    assert "boost::interprocess::lock_exception" in site.log.read_text(), "tritonserver was started again without need"
    return True
