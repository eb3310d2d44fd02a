"""One gate process: both protocols on the public ports, in one event loop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Sequence

from tritonclient.grpc.aio import grpc

from build_tools.serving.gate.access import OpenAccess
from build_tools.serving.gate.admission import MeasuredAdmission
from build_tools.serving.gate.beat import GateBeat
from build_tools.serving.gate.exchanges import Exchanges
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.grpc_side import GrpcSide, server_options
from build_tools.serving.gate.http_server import HttpServer
from build_tools.serving.gate.http_side import make_app
from build_tools.serving.gate.keys import KeyAccess
from build_tools.serving.gate.metrics import GateMetrics
from build_tools.serving.gate.observers import Observer
from build_tools.serving.gate.observing import observing
from build_tools.serving.gate.readiness import Readiness
from build_tools.serving.gate.settings import GateSettings
from build_tools.serving.gate.shared_load import SharedLoad
from build_tools.serving.gate.tls import ServerTls
from build_tools.serving.gate.upstream import Upstream

_LOOK_SECONDS = 0.1
# Refused requests are answered meanwhile; longer than a request's default deadline.
_FINISH_SECONDS = 35.0
_LAST_SECONDS = 2.0


async def serve(settings: GateSettings) -> None:
    """Serves until SIGTERM or SIGINT. Then refuses what is new as unavailable, answers what it has accepted, and ends.

    Raises OSError if a port cannot be listened on, ServeError if the access log cannot be opened.
    """
    ends = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ends.set)
    with observing(settings) as observers:
        await _serve(settings, ends, [GateMetrics(), *observers])


async def _serve(settings: GateSettings, ends: asyncio.Event, observers: Sequence[Observer]) -> None:
    exchanges = Exchanges(observers)
    upstream = Upstream(settings.triton, settings.triton_key)
    gate = Gate(
        settings.limits,
        settings.repository,
        Readiness(settings.state),
        OpenAccess() if settings.keys is None else KeyAccess(settings.keys),
        MeasuredAdmission(_shared_load(settings), settings.limits.in_flight),
        upstream,
    )
    gate.look()
    looking = asyncio.create_task(_look(gate, GateBeat(settings.state, os.getpid())))
    tls = None if settings.tls is None else ServerTls(settings.tls)
    side = GrpcSide(gate, exchanges)
    server = await _grpc_server(settings, side, tls)
    context = None if tls is None else tls.http_context()
    http = HttpServer(make_app(gate, exchanges), settings.address, settings.http_port, settings.limits, context)
    await http.start()
    # What has been made by now stays: the collector need not look at it again and again while requests wait.
    gc.collect()
    gc.freeze()
    try:
        await ends.wait()
        gate.readiness.end()
        side.end_streams()
        await _wait_until_idle(exchanges)
    finally:
        await asyncio.gather(server.stop(_LAST_SECONDS), http.stop(_LAST_SECONDS))
        looking.cancel()
        await upstream.close()


def _shared_load(settings: GateSettings) -> SharedLoad:
    # Twice as many rows as processes: one that ends may still answer while its successor starts.
    return SharedLoad(settings.state.with_name("load"), 2 * settings.workers)


async def _grpc_server(settings: GateSettings, side: GrpcSide, tls: ServerTls | None) -> grpc.aio.Server:
    server = grpc.aio.server(options=server_options(settings.limits))
    server.add_generic_rpc_handlers((side,))
    address = f"{settings.address}:{settings.grpc_port}"
    if tls is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, tls.grpc_credentials())
    await server.start()
    return server


async def _look(gate: Gate, life: GateBeat) -> None:
    while True:
        try:
            life.beat()
            gate.look()
        except Exception:  # never: but a gate that has stopped looking would go on with what it knows for ever
            logging.getLogger(__name__).exception("the gate cannot look at its files")
        await asyncio.sleep(_LOOK_SECONDS)


async def _wait_until_idle(exchanges: Exchanges) -> None:
    try:
        async with asyncio.timeout(_FINISH_SECONDS):
            while exchanges.inside:
                await asyncio.sleep(0.01)
    except TimeoutError:
        logging.getLogger(__name__).warning("%d requests are left unanswered", exchanges.inside)
