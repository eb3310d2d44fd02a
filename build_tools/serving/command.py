"""The verb `espalier serve`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from build_tools.cores import usable_cores
from build_tools.errors import BuildError
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.repository.code_check import check_code, check_permissions
from build_tools.repository.control_key import CONTROL_KEY, ensure_control_key, read_control_key
from build_tools.repository.device import Device
from build_tools.repository.registry import check_versions, read_registry
from build_tools.repository.serving_lock import held_to_serve
from build_tools.serving.errors import ServeError
from build_tools.serving.exposure import check_files, choose_exposure
from build_tools.serving.gate.line_file import check_target
from build_tools.serving.replica.replica import Replica, opened_replica
from build_tools.serving.supervisor import Settings, Supervisor
from build_tools.serving.triton.leftovers import clear_leftovers
from build_tools.serving.triton.resources import choose_resources
from build_tools.stop_signals import stop_signals

TRITON_KEY = "ESPALIER_TRITON_KEY"
_CORES_PER_GATE = 4


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
    gate_workers: Annotated[
        int | None, typer.Option(help="Processes of the gate; set by the number of cores if left out.", min=1)
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Let in only who has a key of this file; see espalier keys.", metavar="FILE")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM): clients speak TLS.", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).", metavar="FILE")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Let in only who has a certificate signed by this one (PEM).", metavar="FILE")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let other machines ask without TLS or keys.")] = False,
    access_log: Annotated[
        str | None, typer.Option(help="Write a line of JSON for each request to this file; - is standard output.")
    ] = None,
    access_log_texts: Annotated[
        bool, typer.Option("--access-log-texts", help="Also write the texts, which may be personal, to it.")
    ] = False,
    replica: Annotated[
        bool, typer.Option("--replica", help="Be one of several servers of the repository, and only read it.")
    ] = False,
    triton: Annotated[
        str | None,
        typer.Option(
            help=f"gRPC address of a Triton that runs beside this command; its key is in {TRITON_KEY}.",
            metavar="HOST:PORT",
        ),
    ] = None,
    triton_metrics: Annotated[
        str | None, typer.Option(help="Address of the metrics of that Triton.", metavar="HOST:PORT")
    ] = None,
) -> None:
    """Serve a model repository until Ctrl-C: Triton, the gate before it, and the watch over both."""
    registry = read_registry(repository)  # reports what is wrong with the folder, before anything is written there
    if registry.device is Device.GPU and triton is None:
        raise BuildError(
            f"the models in {repository} are for a GPU, and this command runs Triton on CPUs: run NVIDIA's container "
            "and give its Triton as --triton (docs/gpu.md), or build a repository without --device gpu."
        )
    exposure = choose_exposure(host, keys, tls_cert, tls_key, client_ca, insecure)
    check_files(exposure)
    if access_log is not None:
        check_target(access_log)
    if replica and triton:
        raise ServeError("--replica and --triton exclude each other: a replica starts a tritonserver on its own view.")
    for option, address in (("--triton", triton), ("--triton-metrics", triton_metrics)):
        if address is not None:
            _check_address(option, address)
    settings = Settings(
        repository=repository,
        grpc_port=grpc_port or None,
        http_port=http_port or None,
        metrics_port=metrics_port or None,
        host=host,
        startup_timeout=startup_timeout,
        log_file=log_file,
        resources=choose_resources(threads, trunk_threads, at_once, result_cache),
        gate_workers=gate_workers or max(1, usable_cores() // _CORES_PER_GATE),
        keys=exposure.keys,
        tls=exposure.tls,
        access_log=access_log,
        access_log_texts=access_log_texts,
        attached=triton,
        attached_key=os.environ.get(TRITON_KEY),
        attached_metrics=triton_metrics,
        attached_counts=_shared_counts() if triton else None,
    )
    for number in (signal.SIGINT, *stop_signals()):
        signal.signal(number, _interrupt_once)
    try:
        with _replica(settings) if replica else _server(settings) as server:
            typer.echo(f"Espalier serves {repository}{' as a replica' if replica else ''}")
            typer.echo(f"  gRPC     {server.grpc_url}")
            typer.echo(f"  HTTP     {'https' if exposure.tls else 'http'}://{server.http_url}")
            typer.echo(f"  metrics  http://{server.metrics_url}/metrics")
            typer.echo(f"  compute  {settings.resources}")
            for line in exposure.lines:
                typer.echo(f"  {line}")
            typer.echo("Ctrl-C stops.")
            server.wait()
    except KeyboardInterrupt:
        typer.echo("Stopped.")


def _check_address(option: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ServeError(f"{option} {address} is no address: give HOST:PORT, such as 127.0.0.1:8001.")


def _shared_counts() -> Path | None:
    """The folder that an attached Triton has been given in the same variable."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


@contextmanager
def _server(settings: Settings) -> Iterator[Supervisor]:
    with _opened(settings), Supervisor(settings, _report) as server:
        yield server


@contextmanager
def _replica(settings: Settings) -> Iterator[Supervisor]:
    """Begins again if files are removed under it while it starts: those of a task, say, that is just being retired."""
    while True:
        with ExitStack() as stack:
            opened = stack.enter_context(_opened_replica(settings))
            view = replace(settings, repository=opened.view.folder, replica=opened)
            try:
                server = stack.enter_context(Supervisor(view, _report))
            except ServeError:
                if not opened.is_outdated:
                    raise
                _report("the repository has changed meanwhile: starting again")
                continue
            yield server
            return


@contextmanager
def _opened(settings: Settings) -> Iterator[None]:
    """Brings the repository to a state on which Triton starts, and keeps other servers from opening it.

    What a killed command or server has left is completed, undone or cleared. A repository without write permission is
    served as it is, and so is one that a running Triton has open.
    """
    repository = settings.repository

    def mend() -> None:
        with ServedRepository.locked(repository, NoServer(), typer.echo) as served:
            settle(served)
            ensure_control_key(repository)  # one of an earlier release has none

    clear_leftovers(repository, typer.echo)
    owned = settings.attached is None and os.access(repository, os.W_OK)
    with held_to_serve(repository, mend, typer.echo) if owned else nullcontext():
        check_versions(repository, read_registry(repository))  # a clear message, before Triton would fail
        check_code(repository)
        yield


@contextmanager
def _opened_replica(settings: Settings) -> Iterator[Replica]:
    """Yields a view of the repository, which is only read: others may serve it and change it."""
    clear_leftovers(settings.repository, typer.echo)
    check_permissions(settings.repository)
    if read_control_key(settings.repository) is None:
        raise ServeError(
            f"{settings.repository} has no {CONTROL_KEY}: run espalier upgrade {settings.repository} first."
        )
    with opened_replica(settings.repository, settings.startup_timeout, typer.echo) as opened:
        yield opened


def _report(event: str) -> None:
    """One line on standard error for each event, with the time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with suppress(OSError):  # who reads the events may have ended, or the disk is full: the server goes on
        print(f"{now} espalier {event}", file=sys.stderr, flush=True)


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    # The first signal stops the server; a second one must not cut that short and leave processes behind.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
