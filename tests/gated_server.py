"""A bare tritonserver with one gate process before it, without the supervisor that runs both elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import psutil

from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.registry import read_registry
from build_tools.serving.gate.settings import GateSettings, Limits, Tls
from build_tools.serving.state import ServerState
from build_tools.serving.triton.ports import choose_ports
from build_tools.serving.triton.server import TritonServer

_START_SECONDS = 120
_FOR_EVER = 1e9  # seconds: nobody writes the state again


class GatedServer:
    """grpc_url and http_url are the gate's. triton: the server behind it. folder: for its files, a new one."""

    def __init__(
        self,
        repository: Path,
        folder: Path,
        limits: Limits | None = None,
        keys: Path | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.repository = repository
        self._folder = folder
        self._limits = limits or Limits()
        self._keys = keys
        self._tls = tls
        self.log = folder / "gate.log"
        self.state_file = folder / "state.json"
        self.triton = TritonServer(repository, log_file=folder / "triton.log")

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        (self._folder / "metrics").mkdir()
        self.control_key = ensure_control_key(self.repository)
        self.triton.start()
        try:
            ports = choose_ports("127.0.0.1", {"grpc": None, "http": None})
            self.grpc_url = f"127.0.0.1:{ports['grpc']}"
            self.http_url = f"127.0.0.1:{ports['http']}"
            self.say(ready=True)
            self.process = self.start_gate(ports)
            _wait_for_port(ports["http"], self.process, self.log)
        except BaseException:
            self.triton.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log.read_text()
        finally:
            self.process.kill()
            self.triton.stop()

    def start_gate(self, ports: dict[str, int]) -> subprocess.Popen[bytes]:
        """Starts a gate process."""
        settings = GateSettings(
            address="127.0.0.1",
            grpc_port=ports["grpc"],
            http_port=ports["http"],
            workers=1,
            triton=self.triton.grpc_url,
            triton_key="none is asked for",
            repository=self.repository,
            state=self.state_file,
            keys=self._keys,
            tls=self._tls,
            limits=self._limits,
        )
        settings.write(self._folder / "gate.json")
        program: Sequence[str] = [
            sys.executable,
            "-m",
            "build_tools.serving.gate",
            str(self._folder / "gate.json"),
        ]
        environment = os.environ | {
            "PROMETHEUS_MULTIPROC_DIR": str(self._folder / "metrics"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(program, stderr=log, env=environment)

    def say(self, **state: object) -> None:
        """Writes the state that the supervisor would."""
        tasks = dict.fromkeys(read_registry(self.repository).tasks, True)
        written = {"written_at": time.monotonic() + _FOR_EVER, "tasks": tasks, **state}
        ServerState.model_validate(written).write(self.state_file)

    def processes(self) -> dict[int, float]:
        """{pid: when it began} of tritonserver, its models' processes and the gate."""
        server = psutil.Process(self.triton.pid)
        gate = psutil.Process(self.process.pid)
        return {one.pid: one.create_time() for one in (server, *server.children(recursive=True), gate)}

    def triton_memory(self) -> int:
        """PSS of tritonserver and its models' processes, in bytes."""
        server = psutil.Process(self.triton.pid)
        return sum(one.memory_full_info().pss for one in (server, *server.children(recursive=True)))


def until(holds: Callable[[], object], seconds: float = 120) -> None:
    """Waits until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
