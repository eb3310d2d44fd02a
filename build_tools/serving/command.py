"""The verb `espalier serve`."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from build_tools.serving.errors import ServeError
from build_tools.serving.server import TritonServer


def serve(
    repository: Annotated[
        Path, typer.Option(help="Model repository that espalier build has filled.", metavar="DIR")
    ] = Path("model_repository"),
    grpc_port: Annotated[int, typer.Option(help="Port for gRPC; 0 takes a free one.")] = 8001,
    http_port: Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.")] = 8000,
    metrics_port: Annotated[int, typer.Option(help="Port for Prometheus metrics; 0 takes a free one.")] = 8002,
    host: Annotated[str, typer.Option(help="Address or name to listen on.")] = "127.0.0.1",
    log_file: Annotated[Path | None, typer.Option(help="Keep Triton's log in this file.", metavar="FILE")] = None,
) -> None:
    """Serve a model repository with tritonserver until Ctrl-C."""
    if not (repository / "registry.json").is_file():
        raise ServeError(f"{repository} holds no registry.json: run espalier build first")
    ports = (grpc_port or None, http_port or None, metrics_port or None)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once)
    try:
        with TritonServer(repository, *ports, host, log_file=log_file) as server:
            typer.echo(f"Triton serves {repository}")
            typer.echo(f"  gRPC     {server.grpc_url}")
            typer.echo(f"  HTTP     http://{server.http_url}")
            typer.echo(f"  metrics  http://{server.metrics_url}/metrics")
            typer.echo("Ctrl-C stops.")
            server.wait()
    except KeyboardInterrupt:
        typer.echo("Stopped.")


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # The first signal stops the server; a second one must not cut that short and leave processes behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
