"""What the gate costs: `PYTHONPATH=.:tests python tests/performance/gate_cost.py REPOSITORY`, on a quiet machine.

One Triton, asked directly and through one gate process in turn, by perf_analyzer: one caller, then as many as keep it
busy. Prints the medians of the rounds and the median of the ratios of each round. A copy of the repository is served.
"""

import shutil
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from gated_server import GatedServer
from sentences import TEXTS
from tqdm import tqdm

from clients.load_test.inputs import prepare_inputs
from clients.load_test.load import Concurrency
from clients.load_test.measure import measure
from clients.load_test.measurement import Measurement
from clients.load_test.protocol import MODELS, Protocol

PROTOCOLS: tuple[Protocol, ...] = ("grpc", "http", "stream")
WAYS = ("bare", "gate")


def gate_cost(
    repository: Annotated[Path, typer.Argument(help="A built repository; it stays as it is.")],
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 10.0,
    callers: Annotated[int, typer.Option(help="that keep the server busy")] = 32,
    task: Annotated[list[str] | None, typer.Option(help="The tasks that are asked; all if left out.")] = None,
) -> None:
    """Measures each protocol, each load and each way in turn, several times."""
    found: dict[tuple[Protocol, int, str], list[Measurement]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = shutil.copytree(repository, folder / "repository")
        prepare_inputs(TEXTS, None, task, folder / "inputs.json")
        with GatedServer(copy, folder / "gate") as server:
            points = [(protocol, load) for protocol in PROTOCOLS for load in (1, callers)]
            for number in tqdm(range(rounds + 1), desc="the first round does not count"):
                for protocol, load in points:
                    # In the other order every second time, so that what the first leaves behind does not always help.
                    for way in WAYS if number % 2 else reversed(WAYS):
                        url = _url(server, protocol, way)
                        measured = measure(
                            url, MODELS[protocol], folder / "inputs.json", Concurrency(load), protocol, seconds
                        )
                        if measured.failed or measured.latency is None:
                            raise SystemExit(f"{protocol} by way of the {way} failed: {measured.failure}")
                        if number:
                            found[protocol, load, way].append(measured)
    _print(found, callers)


def _url(server: GatedServer, protocol: Protocol, way: str) -> str:
    if protocol == "http":
        return f"http://{server.triton.http_url if way == 'bare' else server.http_url}"
    return server.triton.grpc_url if way == "bare" else server.grpc_url


def _print(found: dict[tuple[Protocol, int, str], list[Measurement]], callers: int) -> None:
    print(f"{'':22}{'bare':>10}{'gate':>10}{'more':>10}{'ratio':>8}")
    for protocol in PROTOCOLS:
        bare, gate = (_p50s(found[protocol, 1, way]) for way in WAYS)
        _line(f"{protocol}, 1 caller, ms", bare, gate)
        bare, gate = ([one.texts_per_second for one in found[protocol, callers, way]] for way in WAYS)
        _line(f"{protocol}, {callers} callers, /s", bare, gate)


def _p50s(measurements: list[Measurement]) -> list[float]:
    return [one.latency.p50 for one in measurements if one.latency is not None]


def _line(what: str, bare: list[float], gate: list[float]) -> None:
    first, second = statistics.median(bare), statistics.median(gate)
    ratio = statistics.median(through / direct for direct, through in zip(bare, gate, strict=True))
    print(f"{what:22}{first:10.2f}{second:10.2f}{second - first:10.2f}{ratio:8.3f}")


if __name__ == "__main__":
    typer.run(gate_cost)
