"""What the gate costs in CPU time: `PYTHONPATH=.:tests python tests/performance/gate_cpu.py REPOSITORY`.

CPU seconds hold on a machine that others use as well, where tests/performance/gate_cost.py, which takes the time, does
not. One Triton is asked directly and through one gate process in turn, over gRPC: one text in each request, and eight,
which is the most that the gate could save if it joined requests. Prints medians. A copy of the repository is served.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import Annotated

import grpc
import psutil
import typer
from gated_server import GatedServer
from raw_requests import INFER
from sentences import TEXTS
from tritonclient.grpc import service_pb2 as pb

_PATIENCE = 60.0
# (what, whether by way of the gate, requests at once, texts of each)
WAYS = [
    ("bare, 32 callers", False, 32, 1),
    ("gate, 32 callers", True, 32, 1),
    ("bare, 4 callers of 8 texts", False, 4, 8),
    ("gate, 4 callers of 8 texts", True, 4, 8),
    ("bare, one caller", False, 1, 1),
    ("gate, one caller", True, 1, 1),
]


def gate_cpu(
    repository: Annotated[Path, typer.Argument(help="A built repository; it stays as it is.")],
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 5.0,
    tasks: Annotated[str, typer.Option(help="The tasks that are asked, joined by commas.")] = "intent",
) -> None:
    """Measures each way in turn, several times; a first round does not count."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(repository, Path(name, "repository"))
        with GatedServer(copy, Path(name, "gate")) as server:
            triton = psutil.Process(server.triton.pid)
            gates = [one for one in psutil.Process().children() if "build_tools.serving.gate" in one.cmdline()]
            for number in range(rounds + 1):
                for what, by_gate, callers, texts in WAYS:
                    before = _cpu([triton]), _cpu(triton.children(recursive=True)), _cpu(gates)
                    answered = _load(
                        server.grpc_url if by_gate else server.triton.grpc_url, tasks, callers, texts, seconds
                    )
                    after = _cpu([triton]), _cpu(triton.children(recursive=True)), _cpu(gates)
                    if number:
                        costs = [1000 * (end - start) / answered for start, end in zip(before, after, strict=True)]
                        found[what].append((costs[0], costs[1], costs[2]))
    print(f"{'ms of CPU for each text':28}{'tritonserver':>14}{'models':>10}{'gate':>8}{'all':>8}")
    for what, costs_of_rounds in found.items():
        tritonserver, models, gate = (statistics.median(column) for column in zip(*costs_of_rounds, strict=True))
        print(f"{what:28}{tritonserver:14.2f}{models:10.2f}{gate:8.2f}{tritonserver + models + gate:8.2f}")


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def _request(texts: list[str], tasks: str) -> bytes:
    request = pb.ModelInferRequest(model_name="nlu")
    for name, values in (("text", texts), ("tasks", [tasks] * len(texts))):
        tensor = request.inputs.add(name=name, datatype="BYTES", shape=[len(values), 1])
        tensor.contents.bytes_contents.extend(value.encode() for value in values)
    return request.SerializeToString()


def _load(url: str, tasks: str, callers: int, texts: int, seconds: float) -> int:
    """Asks so many requests at once for some time. Returns how many texts were answered."""
    ends, free, answered = time.monotonic() + seconds, threading.Semaphore(callers), 0
    failed: list[str] = []

    def done(call: grpc.Future) -> None:
        if call.code() is not grpc.StatusCode.OK:
            failed.append(call.details())
        free.release()

    with grpc.insecure_channel(url, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(INFER)
        for number in count():
            free.acquire()
            if failed or time.monotonic() > ends:
                break
            asked = [TEXTS[(number * texts + place) % len(TEXTS)] for place in range(texts)]
            infer.future(_request(asked, tasks), timeout=_PATIENCE).add_done_callback(done)
            answered += texts
        for _ in range(callers - 1):
            free.acquire()
    if failed:
        raise SystemExit(f"a request failed: {failed[0]}")
    return answered


if __name__ == "__main__":
    typer.run(gate_cpu)
