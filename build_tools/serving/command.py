"""The verb `espalier serve`."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.repository.code_check import check_code
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.registry import check_versions, read_registry
from build_tools.repository.serving_lock import held_to_serve
from build_tools.serving.resources import choose_resources
from build_tools.serving.server import TritonServer
from build_tools.stop_signals import stop_signals


def serve(
    repository: Annotated[
        Path, typer.Option(help="The model repository, filled by espalier build.", metavar="DIR")
    ] = Path("model_repository"),
    grpc_port: Annotated[int, typer.Option(help="gRPC port; 0 picks a free one.")] = 8001,
    http_port: Annotated[int, typer.Option(help="HTTP port; 0 picks a free one.")] = 8000,
    metrics_port: Annotated[int, typer.Option(help="Port of the Prometheus metrics; 0 picks a free one.")] = 8002,
    host: Annotated[str, typer.Option(help="Address or host name to listen on; 0.0.0.0 is all.")] = "127.0.0.1",
    startup_timeout: Annotated[float, typer.Option(help="Seconds in which all models must be loaded.")] = 120.0,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each branch; set by the number of cores if left out.")
    ] = None,
    trunk_threads: Annotated[
        int | None, typer.Option(help="Threads of the trunk; set by the number of cores if left out.")
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(help="Trunks and branches that compute at the same time; set by the number of cores if left out."),
    ] = None,
    result_cache: Annotated[
        int, typer.Option(help="Megabytes of answers that each router process remembers.", metavar="MB")
    ] = 0,
    log_file: Annotated[Path | None, typer.Option(help="Write Triton's log to this file.", metavar="FILE")] = None,
) -> None:
    """Serve a model repository with tritonserver until Ctrl-C."""
    read_registry(repository)  # reports what is wrong with the folder, before anything is written there
    resources = choose_resources(threads, trunk_threads, at_once, result_cache)
    ports = (grpc_port or None, http_port or None, metrics_port or None)
    for number in (signal.SIGINT, *stop_signals()):
        signal.signal(number, _interrupt_once)
    try:
        with (
            _opened(repository),
            TritonServer(repository, *ports, host, startup_timeout, log_file, resources) as server,
        ):
            typer.echo(f"Triton serves {repository}")
            typer.echo(f"  gRPC     {server.grpc_url}")
            typer.echo(f"  HTTP     http://{server.http_url}")
            typer.echo(f"  metrics  http://{server.metrics_url}/metrics")
            typer.echo(f"  compute  {resources}")
            typer.echo("Ctrl-C stops.")
            server.wait()
    except KeyboardInterrupt:
        typer.echo("Stopped.")


@contextmanager
def _opened(repository: Path) -> Iterator[None]:
    """Brings the repository to a state on which Triton starts, and keeps other servers from opening it.

    What a killed command has left is completed or undone, as the next publish would do it. A repository without write
    permission is served as it is.
    """

    def mend() -> None:
        with ServedRepository.locked(repository, NoServer(), typer.echo) as served:
            settle(served)
            ensure_control_key(repository)  # one of an earlier release has none

    with held_to_serve(repository, mend, typer.echo) if os.access(repository, os.W_OK) else nullcontext():
        check_versions(repository, read_registry(repository))  # a clear message, before Triton would fail
        check_code(repository)
        yield


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # The first signal stops the server; a second one must not cut that short and leave processes behind.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
