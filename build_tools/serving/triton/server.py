"""Starts and stops one tritonserver, and leaves nothing of it behind."""

import compileall
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from types import TracebackType
from typing import Self

from build_tools.repository.names import EMBEDDED_CONFIG, TRUNK, embedded_config
from build_tools.serving.errors import ServeError
from build_tools.serving.triton import launch_tied
from build_tools.serving.triton.backend_directory import assemble_backends
from build_tools.serving.triton.distribution import find_distribution
from build_tools.serving.triton.environment import server_environment
from build_tools.serving.triton.models_to_load import models_to_load
from build_tools.serving.triton.ports import choose_ports, ipv4_address, reachable
from build_tools.serving.triton.resources import Resources, choose_resources
from build_tools.serving.triton.run_mark import RunMark
from build_tools.serving.triton.server_log import error_lines
from build_tools.serving.triton.serving_folder import ServingFolder
from build_tools.serving.triton.space import check_space, is_disk_full
from build_tools.serving.triton.triton_control import TritonControl
from build_tools.serving.triton.triton_key import restriction

_POLL_SECONDS = 0.05
# Triton waits this long for requests in flight; unloading its models takes some seconds more.
_EXIT_TIMEOUT_SECONDS = 10
# Behind a gate nothing is in flight any more. A model whose process has died keeps Triton waiting for all of it.
_PRIVATE_EXIT_TIMEOUT_SECONDS = 4
_STOP_SECONDS = _EXIT_TIMEOUT_SECONDS + 20
# By default the C library keeps large freed buffers for reuse: a branch would hold those of its largest batch, a fifth
# of its memory, until it ends (docs/experiments.md).
_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


class TritonServer:
    """A tritonserver of nvidia-pytriton that serves `repository`, with every model in it loaded.

    A port of None picks a free one; resources of None are chosen for the machine. startup_timeout: seconds. log_file:
    for Triton's log; None removes the log with the server.
    The process has a session of its own, so Ctrl-C in a terminal reaches only its owner. It ends by itself when the
    thread that called `start` ends: call it from a thread that lives as long as the server should.
    key: if given, the server is a private one: without HTTP, and its gRPC open only to who sends the key. metrics: the
    folder of prometheus_client's multiprocess mode, for the counters of model processes. steps: the folder in which
    they tell how long their steps should take. tolerant: start also if models cannot be loaded.
    grpc_url, http_url and metrics_url are `host:port` of each endpoint, pid is the process id of tritonserver. All of
    them raise ServeError while the server does not run.
    """

    def __init__(
        self,
        repository: Path,
        grpc_port: int | None = None,
        http_port: int | None = None,
        metrics_port: int | None = None,
        host: str = "127.0.0.1",
        startup_timeout: float = 120.0,
        log_file: Path | None = None,
        resources: Resources | None = None,
        *,
        key: str | None = None,
        metrics: Path | None = None,
        steps: Path | None = None,
        tolerant: bool = False,
    ) -> None:
        self.repository = repository
        self._key = key
        self._metrics = metrics
        self._steps = steps
        self.tolerant = tolerant
        self._resources = resources or choose_resources()
        self._host = host
        self._wanted_ports = {"grpc": grpc_port, "http": http_port, "metrics": metrics_port}
        if key is not None:
            del self._wanted_ports["http"]
        self._startup_timeout = startup_timeout
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: ServingFolder | None = None
        self._mark: RunMark | None = None
        self._was_started = False
        self._log_begins = 0  # bytes that earlier starts have written there
        self._changing = threading.Lock()  # while the process is being started or ended

    def start(self) -> Self:
        """Starts the server and returns once it and every model are ready.

        Raises ServeError if a port is in use, if the repository is not a folder or has a model whose name is not plain,
        if there is no place for temporary files, if nvidia-pytriton is missing or does not fit, or if the server ends
        or is not ready in time, with Triton's own error lines. Then nothing is left running.
        """
        if self._process is not None:
            raise ServeError(f"the server of {self.repository} is already running as process {self.pid}")
        if not self.repository.is_dir():
            raise ServeError(
                f"there is no model repository {self.repository}: run espalier build first, or give its folder as "
                "--repository"
            )
        try:
            with self._changing:
                self._launch()
            self._wait_until_ready()
        except OSError as error:
            self.stop()
            if is_disk_full(error):
                raise ServeError(f"tritonserver cannot be started: the disk is full: {error}") from error
            raise ServeError(f"tritonserver cannot be started: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def exit_reason(self) -> str | None:
        """None while tritonserver runs, else how it ended, with Triton's own error lines."""
        code = self._running().poll()
        return None if code is None else f"tritonserver ended by itself ({_described(code)}):\n{self._error_lines()}"

    def kill(self) -> None:
        """Ends tritonserver at once, if it runs. `stop` then clears up."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends the server and its model processes, and removes its shared memory and temporary files.

        Requests in flight get some seconds to finish. Does nothing if the server does not run. Another thread may be in
        `start` meanwhile, which then raises ServeError.
        """
        with self._changing:
            process, self._process = self._process, None
            try:
                if process is not None:
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_STOP_SECONDS)
            finally:  # also if Ctrl-C interrupts the wait
                if process is not None:
                    process.kill()
                    process.wait()
                    _kill_group(process.pid)
                if self._folder is not None:
                    self._folder.remove()
                    self._folder = None
                if self._mark is not None:  # the last, because it tells the next start what is left to clear
                    self._mark.remove()
                    self._mark = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def grpc_url(self) -> str:
        return self._url("grpc")

    @property
    def http_url(self) -> str:
        return self._url("http")

    @property
    def metrics_url(self) -> str:
        return self._url("metrics")

    def _launch(self) -> None:
        distribution = find_distribution()
        self._address = ipv4_address(self._host)
        self._ports = choose_ports(self._address, self._wanted_ports)
        self._folder = folder = ServingFolder(self.repository)
        self._mark = RunMark(folder.path)
        check_space(self.repository, folder.path)
        self._log = self._log_file or folder.log
        assemble_backends(distribution, folder.backends)
        environment = server_environment(distribution, folder.temporary)
        _compile_models(self.repository)
        launcher = [sys.executable, "-I", "-S", launch_tied.__file__, str(os.getpid())]
        # Started again, it goes on in the same file: what the earlier one said must not be lost.
        self._log_begins = self._log.stat().st_size if self._was_started and self._log.exists() else 0
        with self._log.open("ab" if self._log_begins else "wb") as log:
            # A file, because a pipe that nobody reads would block the server once it is full.
            self._process = subprocess.Popen(
                [*launcher, str(distribution.tritonserver), *self._arguments(folder, self._mark)],
                cwd=folder.work,
                env=_ALLOCATION | environment | self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._was_started = True

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServeError(f"the server of {self.repository} is not running")
        return self._process

    def _url(self, endpoint: str) -> str:
        self._running()
        if endpoint not in self._ports:
            raise ServeError(f"the server of {self.repository} is private: it has no {endpoint} endpoint")
        return f"{reachable(self._address)}:{self._ports[endpoint]}"

    def _arguments(self, folder: ServingFolder, mark: RunMark) -> list[str]:
        endpoints = [
            f"--{endpoint}-{setting}={value}"
            for endpoint, port in self._ports.items()
            for setting, value in (("address", self._address), ("port", port))
        ]
        return [
            f"--model-repository={folder.repository}",
            f"--backend-directory={folder.backends}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in models_to_load(self.repository)),
            "--disable-auto-complete-config",
            f"--model-config-name={EMBEDDED_CONFIG}",
            *self._resources.arguments(),
            f"--exit-timeout-secs={_EXIT_TIMEOUT_SECONDS if self._key is None else _PRIVATE_EXIT_TIMEOUT_SECONDS}",
            *endpoints,
            *(["--allow-http=false", restriction(self._key)] if self._key is not None else []),
            *(["--exit-on-error=false", "--strict-readiness=false"] if self.tolerant else []),
            "--allow-sagemaker=false",
            "--allow-vertex-ai=false",
            "--allow-gpu-metrics=false",
            # Applies to the Python-based backends too. Its own prefix tells which shared memory is left by this server.
            f"--backend-config=python,shm-region-prefix-name={mark.prefix}",
        ]

    def _environment(self) -> dict[str, str]:
        trunks = self.repository.glob(f"{TRUNK}*")
        resumes = str(int(any(embedded_config(trunk).is_file() for trunk in trunks)))
        counted = {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics)} if self._metrics else {}
        timed = {"ESPALIER_STEPS": str(self._steps)} if self._steps else {}
        return self._resources.environment() | counted | timed | {"ESPALIER_TRUNK_RESUMES": resumes}

    def _wait_until_ready(self) -> None:
        process = self._running()
        deadline = time.monotonic() + self._startup_timeout
        is_ready = False
        with TritonControl(self.grpc_url, self._key) as triton:
            while not is_ready:
                is_ready = triton.is_ready()
                # Also after the server is ready: another one may have taken the port and be the one that answers.
                code = process.poll()
                if code is not None:
                    raise ServeError(f"tritonserver did not start ({_described(code)}):\n{self._error_lines()}")
                if time.monotonic() > deadline:
                    waited = f"{self._startup_timeout:g} seconds"
                    raise ServeError(
                        f"tritonserver was not ready after {waited}; raise --startup-timeout if it needs longer:\n"
                        f"{self._error_lines()}"
                    )
                time.sleep(_POLL_SECONDS)

    def _error_lines(self) -> str:
        try:
            with self._log.open("rb") as log:
                log.seek(self._log_begins)
                lines = error_lines(log.read().decode(errors="replace"))
        except OSError as error:  # moved away, to begin a new one
            return f"its log {self._log} cannot be read ({error.strerror})"
        link = str(self._folder.repository) if self._folder else ""
        return lines.replace(link, str(self.repository)) if link else lines


def _compile_models(repository: Path) -> None:
    """Compiles the Python of hand-written models before Triton looks at their folders.

    Otherwise a stub compiles it on import. Triton takes the new file for a change of the model and reloads it at its
    next look (ModelTimestamp in its core). Checked by hash, because a copied repository has other file times. Always
    compiled anew, because the manifest does not cover compiled files.
    """
    for model in repository.glob("*/1/model.py"):
        compileall.compile_dir(model.parent, quiet=2, force=True, invalidation_mode=PycInvalidationMode.CHECKED_HASH)


def _described(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _kill_group(group: int) -> None:
    """Kills the rest of the process group: Python stubs outlive a tritonserver that was killed."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(_POLL_SECONDS)
