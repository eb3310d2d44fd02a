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
from build_tools.repository.registry import check_versions, read_registry
from build_tools.repository.serving_lock import held_to_serve
from build_tools.serving.resources import choose_resources
from build_tools.serving.server import TritonServer

# The last: its terminal was closed.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    repository: Annotated[
        Path, typer.Option(help="Model repository that espalier build has filled.", metavar="DIR")
    ] = Path("model_repository"),
    grpc_port: Annotated[int, typer.Option(help="Port for gRPC; 0 takes a free one.")] = 8001,
    http_port: Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.")] = 8000,
    metrics_port: Annotated[int, typer.Option(help="Port for Prometheus metrics; 0 takes a free one.")] = 8002,
    host: Annotated[str, typer.Option(help="Address or name to listen on.")] = "127.0.0.1",
    startup_timeout: Annotated[float, typer.Option(help="Seconds that loading all models may take.")] = 120.0,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each branch; as the cores allow if not given.")
    ] = None,
    trunk_threads: Annotated[
        int | None, typer.Option(help="Threads of the trunk; as the cores allow if not given.")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(help="Trunks and branches that compute at once; as the cores allow if not given.")
    ] = None,
    result_cache: Annotated[
        int, typer.Option(help="Megabytes of answers that each router process remembers.", metavar="MB")
    ] = 0,
    log_file: Annotated[Path | None, typer.Option(help="Keep Triton's log in this file.", metavar="FILE")] = None,
) -> None:
    """Serve a model repository with tritonserver until Ctrl-C."""
    read_registry(repository)  # says what is wrong with the folder, before anything is written there
    resources = choose_resources(threads, trunk_threads, at_once, result_cache)
    ports = (grpc_port or None, http_port or None, metrics_port or None)
    for number in STOPPING:
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # ignored by nohup
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
    """The repository in a state on which Triton starts, and kept from other servers.

    What a killed command has left is completed or undone, as the next change would do it. A repository that cannot be
    written to is taken as it is.
    """

    def mend() -> None:
        with ServedRepository.locked(repository, NoServer(), typer.echo) as served:
            settle(served)

    with held_to_serve(repository, mend, typer.echo) if os.access(repository, os.W_OK) else nullcontext():
        check_versions(repository, read_registry(repository))  # says what is wrong, before Triton would
        yield


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # The first signal stops the server; a second one must not cut that short and leave processes behind.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
