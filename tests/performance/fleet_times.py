"""How long a publish takes to reach a whole fleet: `python tests/performance/fleet_times.py REPOSITORY CHECKPOINT`.

PYTHONPATH must name the clone, tests and tests/drills. By turns on one server, and on several that share a repository:
publishes an artefact and rolls it back, by the commands, in processes that find no torch. First beside servers that
have nothing else to do, then beside ones that callers keep busy. Prints the median and the most of the rounds, in
seconds: until every server answers with the version, and of processor time of the command; and the callers' P99.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from failing_site import timed_load
from replica_process import ReplicaProcess
from tqdm import tqdm
from verb_process import begun

from build_tools.packaging.package_file import package_file
from build_tools.repository.registry import read_registry
from clients import Client
from training.checkpoint import load_record

TEXT = "wake me at seven tomorrow please"
_POLL_SECONDS = 0.02
_UNDISTURBED_SECONDS = 10.0  # of callers, before a change


@dataclass
class Servers:
    """Servers of one repository, and what was measured there. place: the options that name it to a verb."""

    name: str
    servers: list[ReplicaProcess]
    repository: Path
    place: tuple[str, ...]
    taken: dict[str, list[float]] = field(default_factory=dict)
    undisturbed: list[float] = field(default_factory=list)  # seconds of the callers' requests
    disturbed: list[float] = field(default_factory=list)

    def publish_and_roll_back(self, artefact: Path, task: str, prefix: str = "") -> None:
        """One round."""
        before = read_registry(self.repository).tasks[task]
        for name, arguments, version in (
            ("publish", ("publish", str(artefact)), before.newest + 1),
            ("rollback", ("rollback", task), before.live),
        ):
            with begun(*arguments, "--repository", str(self.repository), *self.place) as end:
                answered = _Answered(self.servers, task, version)
                used = end().processor_seconds
            self._note(f"{prefix}{name}, until all answer", answered.seconds())
            self._note(f"{prefix}{name}: processor", used)

    def beside_callers(self, artefact: Path, task: str, folder: Path) -> None:
        """One round, under load."""
        folder.mkdir()
        with timed_load(",".join(one.ports.grpc_url for one in self.servers), folder) as end:
            time.sleep(_UNDISTURBED_SECONDS)
            began = time.time()
            self.publish_and_roll_back(artefact, task, "busy: ")
            ended = time.time()
            seen = end()
        assert not seen.failures(0.0, ended), seen.failures(0.0, ended)
        self.undisturbed += seen.seconds(began - _UNDISTURBED_SECONDS, began)
        self.disturbed += seen.seconds(began, ended)

    def print(self) -> None:
        """Leaves the first round out: what is loaded at first use is loaded then."""
        for what, seconds in self.taken.items():
            print(f"{self.name:14}{what:36}{statistics.median(seconds[1:]):6.2f}{max(seconds[1:]):8.2f}")
        for what, seconds in (("no change", self.undisturbed), ("changes", self.disturbed)):
            print(f"{self.name:14}callers' P99, {what:22}{statistics.quantiles(seconds, n=100)[98]:6.3f}")

    def _note(self, what: str, seconds: float) -> None:
        self.taken.setdefault(what, []).append(seconds)


class _Answered:
    """Asks each server, from now on, until it answers with this version."""

    def __init__(self, servers: Sequence[ReplicaProcess], task: str, version: int) -> None:
        self._begun = self._ended = time.perf_counter()
        self._threads = [Thread(target=self._ask, args=(one.ports.grpc_url, task, version)) for one in servers]
        for thread in self._threads:
            thread.start()

    def seconds(self) -> float:
        """Until the last one did."""
        for thread in self._threads:
            thread.join()
        return self._ended - self._begun

    def _ask(self, url: str, task: str, version: int) -> None:
        with Client(url) as client:
            while client.predict(TEXT, TEXT, tasks=[task])[task].version != version:
                time.sleep(_POLL_SECONDS)
        self._ended = time.perf_counter()


def fleet_times(
    repository: Annotated[Path, typer.Argument(help="A built repository; it stays as it is.")],
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of one of its tasks, which is published.")],
    rounds: Annotated[int, typer.Option(min=2)] = 5,
    servers: Annotated[int, typer.Option(help="Servers of the fleet.", min=1)] = 3,
) -> None:
    """One server and a fleet by turns, idle and busy."""
    task = load_record(checkpoint).task
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        artefact = folder / "artefact"
        package_file(checkpoint, artefact, repository)
        with _served(repository, folder, servers) as places:
            for _ in tqdm(range(rounds + 1), desc="idle; the first does not count"):
                for place in places:
                    place.publish_and_roll_back(artefact, task)
            for number in tqdm(range(rounds + 1), desc="busy"):
                for place in places:
                    place.beside_callers(artefact, task, folder / f"{place.name} {number}")
    print(f"{'':50}median    most")
    for place in places:
        place.print()


@contextmanager
def _served(repository: Path, folder: Path, servers: int) -> Iterator[list[Servers]]:
    """One server of a copy of the repository, and several of another copy."""
    copies = [shutil.copytree(repository, folder / name) for name in ("alone", "shared")]
    alone = ReplicaProcess(folder, "alone", copies[0], is_replica=False)
    fleet = [ReplicaProcess(folder, f"replica {number}", copies[1]) for number in range(servers)]
    with ExitStack() as stack:
        for one in (alone, *fleet):
            stack.callback(one.end)
            one.start()
            one.wait_until_ready()
        addresses = ",".join(one.ports.http_url for one in fleet)
        yield [
            Servers("one server", [alone], copies[0], ("--url", alone.ports.grpc_url)),
            Servers(f"{servers} servers", fleet, copies[1], ("--fleet", addresses)),
        ]


if __name__ == "__main__":
    typer.run(fleet_times)
