"""How long a publish and a rollback take: `python tests/performance/publish_times.py REPOSITORY CHECKPOINT`.

On a server that is started for it, of a copy of the repository. Prints the median and the most of the rounds: the
steps of a publish in a process that has published before, then both commands from their start to their end (publish
also where no graph of the branch's structure is kept, and of an artefact, with the processor seconds of that command),
and from the start of a rollback until the router answers with the version before. With --compact also that command.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from build_tools.packaging.package_file import package_file
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import RunningServer
from build_tools.serving.triton.server import TritonServer
from clients import Client
from training.checkpoint import load_checkpoint

ESPALIER = str(Path(sys.executable).with_name("espalier"))
TEXT = "wake me at seven tomorrow please"
_POLL_SECONDS = 0.005


def publish_times(
    repository: Annotated[Path, typer.Argument(help="A built repository; it stays as it is.")],
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of one of its tasks, which is published.")],
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    compact: Annotated[bool, typer.Option("--compact", help="Compact all tasks at the end of a round.")] = False,
) -> None:
    """Publish, publish by the command, roll back by the command; again and again."""
    task = load_checkpoint(checkpoint).record.task
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(repository, Path(folder, "repository"))
        artefact = Path(folder, "artefact")
        package_file(checkpoint, artefact, copy)
        with TritonServer(copy) as server, Client(server.grpc_url) as client:
            place = ["--repository", str(copy), "--url", server.grpc_url]
            for _ in tqdm(range(rounds + 1), desc="the first does not count"):
                found = _steps(copy, server.grpc_url, checkpoint)
                with tempfile.TemporaryDirectory() as empty:
                    found["espalier publish, first of its structure"] = _run(
                        "publish", str(checkpoint), *place, XDG_CACHE_HOME=empty
                    )
                busy = _processor_seconds()
                found["espalier publish, of an artefact"] = _run("publish", str(artefact), *place)
                found["espalier publish, of an artefact: processor"] = _processor_seconds() - busy
                found["espalier publish"] = _run("publish", str(checkpoint), *place)
                live = client.predict(TEXT, TEXT, tasks=[task])[task].version
                answered = _Answered(client, task, live)
                found["espalier rollback"] = _run("rollback", task, *place)
                found["espalier rollback, until the version before answers"] = answered.seconds()
                if compact:
                    found["espalier compact"] = _run("compact", *place)
                for name, seconds in found.items():
                    taken.setdefault(name, []).append(seconds)
    print(f"{'':52}  median    most")
    for name, seconds in taken.items():
        print(f"{name:52}  {statistics.median(seconds[1:]):5.2f} s  {max(seconds[1:]):5.2f} s")


class _Answered:
    """Asks until another version than `live` answers."""

    def __init__(self, client: Client, task: str, live: int) -> None:
        self._begun = time.perf_counter()
        self._ended = 0.0
        self._thread = threading.Thread(target=self._ask, args=(client, task, live))
        self._thread.start()

    def seconds(self) -> float:
        self._thread.join()
        return self._ended - self._begun

    def _ask(self, client: Client, task: str, live: int) -> None:
        while client.predict(TEXT, TEXT, tasks=[task])[task].version == live:
            time.sleep(_POLL_SECONDS)
        self._ended = time.perf_counter()


def _steps(repository: Path, url: str, checkpoint: Path) -> dict[str, float]:
    """{step: seconds} of one publish in this process, and of all of it."""
    begun: list[tuple[str, float]] = []
    start = time.perf_counter()
    with RunningServer(url) as server:
        publish(checkpoint, repository, server, report=lambda step: begun.append((step, time.perf_counter())))
    end = time.perf_counter()
    ends = [at for _, at in begun[1:]] + [end]
    steps = {step: after - at for (step, at), after in zip(begun, ends, strict=True)}
    return steps | {"all of it": end - start}


def _run(*arguments: str, **environment: str) -> float:
    """Seconds that the command takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run([ESPALIER, *arguments], check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    return time.perf_counter() - start


def _processor_seconds() -> float:
    """Those of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    typer.run(publish_times)
