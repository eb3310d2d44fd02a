"""One server of a fleet: `espalier serve --replica`, a process of its own, at ports that it keeps."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
from balancer import free_ports

from build_tools.repository.control_key import CONTROL_HEADER, read_control_key
from build_tools.repository.replica_state import ReplicaState

ROOT = Path(__file__).resolve().parents[2]
SERVE = "import sys; from espalier import main; sys.argv[0] = 'espalier'; main()"
START_SECONDS, END_SECONDS = 180.0, 90.0  # two cores may start three servers at once
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.05
SMALL = ("--threads", "1", "--trunk-threads", "1", "--at-once", "1", "--gate-workers", "1")


class ReplicaProcess:
    """name: for messages. repository: the folder that it looks at. log: what it says, and Triton's own log."""

    def __init__(self, folder: Path, name: str, repository: Path, is_replica: bool = True) -> None:
        """folder: for its files. is_replica: else it is the only server of its repository."""
        self.name, self.repository = name, repository
        self.ports, self._metrics = free_ports(), free_ports().http
        self.log = folder / f"{name}.log"
        self._triton_log = folder / f"{name}_triton.log"
        self._flags = ["--replica"] if is_replica else []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, and does not wait for it."""
        ports = ("--grpc-port", self.ports.grpc, "--http-port", self.ports.http, "--metrics-port", self._metrics)
        options = (*ports, *SMALL, "--log-file", self._triton_log, "--repository", self.repository, *self._flags)
        command = [sys.executable, "-c", SERVE, "serve", *map(str, options)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
            )

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Raises AssertionError, with what it said, if it ends before or is not ready after so long."""
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            assert self.is_running, f"{self.name} has ended: {self.said()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready: {self.said()}"
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """As a platform stops it: SIGTERM, and waits for its end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(END_SECONDS) == 0, self.said()

    def kill(self) -> None:
        """SIGKILL of the supervisor; its children end with it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(END_SECONDS)

    def end(self) -> None:
        """In order if it can, and else by SIGKILL. Raises nothing."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def state(self) -> ReplicaState | None:
        """What it says at /state; None if it does not answer."""
        headers = {CONTROL_HEADER: read_control_key(self.repository) or ""}
        try:
            answer = httpx.get(f"{self.ports.http_url}/state", headers=headers, timeout=ANSWER_SECONDS)
        except httpx.TransportError:
            return None
        return ReplicaState.model_validate_json(answer.content) if answer.status_code == 200 else None

    def said(self) -> str:
        """The end of what it and its Triton have written."""
        logs = [one.read_text(errors="replace")[-3000:] for one in (self.log, self._triton_log) if one.is_file()]
        return "\n".join(logs)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.ports.http_url}/v2/health/ready", timeout=ANSWER_SECONDS).status_code == 200
        except httpx.TransportError:
            return False
