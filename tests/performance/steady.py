"""Minutes of load at nine tenths of saturation, with publishes: `python tests/performance/steady.py REPOSITORY BRANCH`.

On a server that is started for it, of a copy of the repository. BRANCH, a checkpoint of one of its tasks, is packaged
once and published again and again by the command. Prints what callers saw, how long the publishes took, and the
server's memory before each. The goal: no failures, and memory within 3 % after the first minute. Use a machine on which
nothing else runs.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from open_load import closed_loop, open_loop, percentile
from overload import memory
from texts import MIX, lengths_of, make_texts, plain_tokenizer

from build_tools.packaging.package_file import package_file
from build_tools.repository.registry import read_registry
from build_tools.serving.supervisor import Settings, Supervisor

ESPALIER = str(Path(sys.executable).with_name("espalier"))
SHARE = 0.9
_CALLERS = 64  # that saturate the server
_WARM_UP = 10.0


def steady(
    repository: Annotated[Path, typer.Argument(help="A built repository; it stays as it is.")],
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of one of its tasks.")],
    minutes: Annotated[int, typer.Option(min=2, help="Of load; a publish begins with each.")] = 10,
    tokens: Annotated[str, typer.Option(help="Tokens of each text, or mix.")] = MIX,
    timeout: Annotated[float, typer.Option(help="Seconds that callers wait.")] = 10.0,
) -> None:
    """Measure saturation for a minute, then load the server at nine tenths of it."""
    texts = make_texts(lengths_of(tokens), plain_tokenizer(repository))
    tasks = [task for task, entry in read_registry(repository).tasks.items() if not entry.live_version.kind.is_pair]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(repository, Path(folder, "repository"))
        artefact = Path(folder, "artefact")
        package_file(checkpoint, artefact, copy)
        with Supervisor(Settings(copy), typer.echo) as server:
            most = closed_loop(server.grpc_url, texts, _CALLERS, 60.0, _WARM_UP, timeout, tasks)
            print(f"{_CALLERS} callers: {most.goodput:.0f} texts/s, failures {dict(most.failures) or 0}")
            publishes = _Publishes(artefact, copy, server.grpc_url, minutes)
            seen = open_loop(
                server.grpc_url, texts, SHARE * most.goodput, 60.0 * minutes - _WARM_UP, _WARM_UP, timeout, tasks
            )
            publishes.end()
    print(f"{SHARE:g} of it for {minutes} minutes: answered {len(seen.answered)}, refused {len(seen.refused)}, "
          f"too late {seen.too_late}, failures {dict(seen.failures) or 0}")  # fmt: skip
    print(f"P50 {1000 * percentile(seen.answered, 0.5):.0f} ms, P99 {1000 * percentile(seen.answered, 0.99):.0f} ms; "
          f"a refusal's P99 {1000 * percentile(seen.refused, 0.99):.0f} ms")  # fmt: skip
    print(f"publishes: {len(publishes.seconds)}, {publishes.failed} failed, median "
          f"{statistics.median(publishes.seconds):.1f} s, most {max(publishes.seconds):.1f} s")  # fmt: skip
    print("MB before each: " + " ".join(f"{size / 1e6:.0f}" for size in publishes.memory))
    first, last = publishes.memory[1], publishes.memory[-1]
    print(f"memory after the first minute and at the end: {100 * (last / first - 1):+.1f} %")


class _Publishes:
    """Publishes the artefact a minute, but not in the first, and notes the server's memory at each minute."""

    def __init__(self, artefact: Path, repository: Path, url: str, minutes: int) -> None:
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.failed = 0
        self._command = [ESPALIER, "publish", str(artefact), "--repository", str(repository), "--url", url]
        self._thread = Thread(target=self._run, args=(minutes,))
        self._thread.start()

    def end(self) -> None:
        """Waits for the last of them."""
        self._thread.join()

    def _run(self, minutes: int) -> None:
        begun = time.monotonic()
        self.memory.append(memory())
        for minute in range(1, minutes):
            time.sleep(max(begun + 60 * minute - time.monotonic(), 0.0))
            self.memory.append(memory())
            start = time.monotonic()
            self.failed += subprocess.run(self._command, stdout=subprocess.DEVNULL, check=False).returncode != 0
            self.seconds.append(time.monotonic() - start)
        time.sleep(max(begun + 60 * minutes - time.monotonic(), 0.0))
        self.memory.append(memory())


if __name__ == "__main__":
    typer.run(steady)
