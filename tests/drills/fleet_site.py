"""A fleet: one repository, real servers that each look at it, a load balancer before them, and the verbs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from balancer import Ports, balancer
from child_process import child_process
from expected_answers import Scores, expected_scores
from publishing_site import HERE, TASKS, loaded
from replica_process import ROOT, ReplicaProcess
from untrained import save_untrained, tiny_encoder
from verb_process import Ran, begun, running

from build_tools.build.builder import build
from build_tools.packaging.package_file import package_file
from build_tools.repository.proposal import PROPOSAL, digest
from build_tools.repository.registry import REGISTRY, read_registry
from build_tools.serving.triton.leftovers import clear_leftovers
from training.checkpoint import load_record

VERB_SECONDS = 180.0
AGREE_SECONDS = 60.0
_SAYS = re.compile(r"^(?P<task>\w+): version (?P<version>\d+) (?:is live|is a shadow|answers)", re.MULTILINE)


class FleetSite:
    """A repository of untrained tasks, servers of it (not started), and artefacts to publish there.

    replicas: the servers; `run` starts some. expected: {(task, version): what it must answer} of all that was
    published. late: the servers look at copies of the repository, which late_folders.py keeps.
    """

    def __init__(self, folder: Path, replicas: int, late: bool = False) -> None:
        self._folder = folder
        self.encoder = tiny_encoder(folder / "encoder")
        self.repository = folder / "repository"
        self.expected: dict[tuple[str, int], Scores | None] = {}
        self._checkpoints: dict[Path, Path] = {}
        built = {task: self.checkpoint(task, **given) for task, given in TASKS.items()}
        build(list(built.values()), self.repository, router_instances=1)
        self.expected |= {(task, 1): expected_scores(checkpoint) for task, checkpoint in built.items()}
        self.copies = [folder / f"copy_{number}" for number in range(replicas)] if late else []
        self.replicas = [
            ReplicaProcess(folder, f"replica {number}", self.copies[number] if late else self.repository)
            for number in range(replicas)
        ]

    def checkpoint(self, task: str, **given: object) -> Path:
        """A new checkpoint."""
        folder = self._folder / f"checkpoint_{len(list(self._folder.glob('checkpoint_*')))}"
        return save_untrained(folder, self.encoder, task, **(TASKS.get(task, {}) | given))

    def artefact(self, task: str, **given: object) -> Path:
        """A new checkpoint, packaged for this repository."""
        checkpoint = self.checkpoint(task, **given)
        file = checkpoint.with_suffix(".artefact")
        package_file(checkpoint, file, self.repository)
        self._checkpoints[file] = checkpoint
        return file

    @contextmanager
    def run(self, count: int) -> Iterator[None]:
        """The first `count` servers run, and the balancer; then all that run are ended."""
        with ExitStack() as stack:
            for one in self.replicas:
                stack.callback(one.end)
            for one in self.replicas[:count]:
                one.start()
            for one in self.replicas[:count]:
                one.wait_until_ready()
            self.balancer: Ports = stack.enter_context(balancer([one.ports for one in self.replicas], self._folder))
            yield
            for one in self.running:  # together: each takes some seconds
                os.kill(one.pid, signal.SIGTERM)
        clear_leftovers(self.repository, print)  # of those that were killed and not started again

    @contextmanager
    def shown_late(self, seed: int, most_seconds: float, order: str) -> Iterator[None]:
        """The copies exist, and follow the repository with delays; see late_folders.py."""
        arguments = [str(self.repository), str(seed), str(most_seconds), order, *map(str, self.copies)]
        program = [sys.executable, str(HERE / "late_folders.py"), *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with child_process(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield

    @contextmanager
    def load(self, folder: Path) -> Iterator[Callable[[], dict]]:
        """Callers ask from here on. Called, it ends them and returns what they have seen. folder: for its files."""
        own = [one.ports for one in self.replicas]
        lists = [",".join(one.grpc_url for one in own), ",".join(one.http_url for one in own)]
        urls = [self.balancer.grpc_url, self.balancer.http_url, *lists]
        with loaded([str(HERE / "fleet_load.py"), *urls], folder) as end:
            yield end

    @property
    def running(self) -> list[ReplicaProcess]:
        """The servers whose processes run."""
        return [one for one in self.replicas if one.is_running]

    @property
    def place(self) -> tuple[str, ...]:
        """The options that name the repository and the servers that run."""
        return ("--repository", str(self.repository), "--fleet", ",".join(one.ports.http_url for one in self.running))

    def verb(self, *arguments: str | Path) -> Ran:
        """Runs a verb on the fleet. Raises AssertionError, with what it said, if it fails."""
        with begun(*arguments, *self.place) as end:
            return end()

    def hand_in(self, artefact: Path, inbox: Path) -> None:
        """Hands an artefact to the tend that reads this inbox."""
        with begun("hand-in", artefact, "--inbox", inbox) as end:
            end()

    @contextmanager
    def tending(self, *options: str | Path) -> Iterator[None]:
        """`espalier tend` runs beside the repository, and is told to end."""
        with running("tend", *options, *self.place) as process:
            yield
            process.terminate()
            said, _ = process.communicate(timeout=VERB_SECONDS)
            assert process.returncode == 0, said

    def killed(self, point: str, *verb: str | Path) -> str:
        """What a verb said that was killed at a point of killed_verb.py."""
        program = [sys.executable, str(HERE / "killed_verb.py"), point, str(self.repository.parent)]
        command = [*program, *map(str, verb), *self.place]
        with child_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            said, _ = process.communicate(timeout=VERB_SECONDS)
            assert process.returncode == (0 if point == "count" else -signal.SIGKILL), said
            return said

    def publish(self, artefact: Path, *options: str) -> tuple[str, int]:
        """Publishes an artefact, and returns its task and version."""
        with self.publishing(artefact, *options) as end:
            return end()

    @contextmanager
    def publishing(self, artefact: Path, *options: str) -> Iterator[Callable[[], tuple[str, int]]]:
        """A publish that has begun; called, it waits for its end and returns the task and version."""
        task, version = self.announced(artefact)
        with begun("publish", artefact, *options, *self.place) as end_verb:

            def end() -> tuple[str, int]:
                said = _SAYS.search(end_verb().said)
                assert said is not None
                assert (said["task"], int(said["version"])) == (task, version)
                return task, version

            yield end

    def announced(self, artefact: Path) -> tuple[str, int]:
        """Notes what the next version of its task must answer, before it may. Returns task and version."""
        checkpoint = self._checkpoints[artefact]
        task = load_record(checkpoint).task
        version = self.next_version(task)
        self.expected[task, version] = expected_scores(checkpoint)
        return task, version

    def next_version(self, task: str) -> int:
        """The number that the next publish of a task gets."""
        registry = read_registry(self.repository)
        if task in registry.tasks:
            return registry.tasks[task].newest + 1
        return registry.retired[task].version + 1 if task in registry.retired else 1

    def wait_for(self, condition: Callable[[], object], seconds: float = AGREE_SECONDS) -> float:
        """Waits, and returns how long. Raises AssertionError, with what all servers say, if it waits in vain."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, f"waited in vain; {self._told()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_until_proposed(self) -> float:
        """Waits until publishing asks the servers to prepare what comes next."""
        return self.wait_for((self.repository / PROPOSAL).exists)

    def wait_until_at_one_generation(self) -> float:
        """Waits until all servers that run are ready and have the generation that registry.json has."""
        return self.wait_for(lambda: self._agree(is_proposed=True))

    def wait_until_they_agree(self) -> float:
        """The same, and nothing is proposed to them any more."""
        return self.wait_for(lambda: self._agree(is_proposed=False))

    def _agree(self, is_proposed: bool) -> bool:
        committed = digest((self.repository / REGISTRY).read_bytes())
        states = [one.state() for one in self.running]
        return all(
            state is not None and state.ready and state.sha256 == committed and (is_proposed or state.proposal is None)
            for state in states
        )

    def _told(self) -> str:
        told: Sequence[str] = [f"{one.name}: {one.state()!r}\n{one.said()}" for one in self.running]
        return "\n".join(told)


def check_broken(seen: dict, kills: Sequence[float], seconds: float = 3.0, elsewhere: int = 2) -> None:
    """Only a server that was killed leaves callers without an answer; through HAProxy some others do, now and then.

    kills: when (time.time()). seconds: around a kill. elsewhere: so many requests at most; HAProxy seldom closes a
    connection to a server of which it has sent on a request.
    """
    others = [one for one in seen["broken"] if not any(-1.0 <= one[1] - kill <= seconds for kill in kills)]
    assert len(others) <= elsewhere, others
    assert all("balanced" in caller for caller, *_ in others), others
