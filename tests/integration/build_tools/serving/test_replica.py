"""A replica with a real tritonserver, on a shared folder that publishing alone writes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from child_process import child_process
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer, RunningServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.repository.control_key import read_control_key
from build_tools.repository.manifest import write_manifest
from build_tools.repository.proposal import commit_proposal, withdraw_proposal, write_proposal
from build_tools.repository.registry import Registry, read_registry
from build_tools.repository.replica_state import ReplicaState
from build_tools.serving.replica import follower
from build_tools.serving.replica.replica import opened_replica
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from training.encoder import Encoder

ROOT = Path(__file__).resolve().parents[4]
SERVE = "import typer; from build_tools.serving.command import serve; typer.run(serve)"
SECONDS = 120.0
DRAIN_SECONDS = 1.0


class Proposing(NoServer):
    """Proposes, and leaves it to the test what becomes of it. before: called when all files are in place."""

    proves = True

    def __init__(self, before: Callable[[], object]) -> None:
        self._before = before

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        self._before()
        write_proposal(repository, registry)


class Site:
    """The shared folder, one server, and who publishes."""

    def __init__(self, shared: Path, encoder: Encoder, server: Supervisor, view: Path) -> None:
        self.shared, self.server, self.view = shared, server, view
        self._encoder = encoder
        self._key = read_control_key(shared)

    def checkpoint(self, seed: int) -> Path:
        return save_untrained(self.shared.parent / f"intent_{seed}", self._encoder, "intent", seed=seed)

    def newest(self) -> Path:
        """The folder of the newest version."""
        return max((self.shared / "branch_intent").glob("[0-9]*"), key=lambda path: int(path.name))

    def propose(self, seed: int, before: Callable[[], object] = lambda: None) -> int:
        """Returns the number of the version, which is in place."""
        return publish(self.checkpoint(seed), self.shared, Proposing(before))[1]

    def state(self, url: str = "") -> ReplicaState:
        """Of this server, or of the one at `url`."""
        url = url or f"http://{self.server.http_url}"
        request = urllib.request.Request(f"{url}/state", headers={"espalier-control-key": self._key})
        with urllib.request.urlopen(request) as answer:
            return ReplicaState.model_validate_json(answer.read())

    def wait_for(self, what: Callable[[ReplicaState], object], url: str = "") -> ReplicaState:
        deadline = time.monotonic() + SECONDS
        while True:
            state = self.state(url)
            if what(state):
                return state
            assert time.monotonic() < deadline, state
            time.sleep(0.05)

    def version(self) -> int | None:
        """That answers."""
        with Client(self.server.grpc_url) as client:
            return client.predict("a b")["intent"].version

    def loaded(self) -> list[int]:
        """Versions of the branch."""
        with RunningServer(self.server.grpc_url, self._key) as gate:
            return gate.ready_versions()["branch_intent"]

    def withdraw(self) -> None:
        """As publishing does: the proposal goes, and then its files."""
        withdraw_proposal(self.shared)
        self.wait_for(lambda state: state.proposal is None)
        follow_registry(ServedRepository(self.shared, NoServer()))

    def commit(self) -> ReplicaState:
        commit_proposal(self.shared)
        generation = read_registry(self.shared).generation
        return self.wait_for(lambda state: state.generation == generation)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("replica")
    encoder = tiny_encoder(folder / "encoder")
    tasks = [save_untrained(folder / task, encoder, task, tap=tap) for task, tap in (("intent", 2), ("mood", 1))]
    build(tasks, folder / "shared", router_instances=1)
    before = _files(folder / "shared")
    events: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follower, "DRAIN_SECONDS", DRAIN_SECONDS)
        with (
            opened_replica(folder / "shared", SECONDS, events.append) as replica,
            Supervisor(Settings(replica.view.folder, replica=replica), events.append) as server,
        ):
            assert _files(folder / "shared") == before, "a server that starts writes nothing there"
            yield Site(folder / "shared", encoder, server, replica.view.folder)
    print("\n".join(events))
    assert not replica.view.folder.exists()


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_version_that_shows_up_late_is_waited_for_then_proved_and_answers_once_it_is_committed(site: Site) -> None:
    assert (site.state().generation, site.version()) == (1, 1)
    hidden = site.shared.parent / "hidden"
    number = site.propose(seed=1, before=lambda: site.newest().rename(hidden))
    state = site.wait_for(
        lambda state: state.proposal and state.proposal.waiting.endswith("(No such file or directory).")
    )
    assert (site.loaded(), state.proposal.refused) == ([1], "")

    hidden.rename(site.shared / "branch_intent" / str(number))
    ready = site.wait_for(lambda state: state.proposal and state.proposal.ready)
    assert (ready.generation, site.version(), site.loaded()) == (1, 1, [1, number]), "nobody has committed it"

    state = site.commit()
    assert (state.ready, state.tasks) == (True, {"intent": True, "mood": True})
    assert site.version() == number
    site.wait_for(lambda state: state.settled == state.generation and state.counts["intent"][number].answers)
    assert site.state().memory_bytes > 10**8


def test_a_withdrawn_version_is_gone_before_its_number_is_used_again_with_weights_that_are_refused(site: Site) -> None:
    before, live = site.loaded(), site.version()
    number = site.propose(seed=2)
    site.wait_for(lambda state: state.proposal and state.proposal.ready)
    site.withdraw()
    assert site.loaded() == before

    def exchange_weights() -> None:
        shutil.copy(site.shared / "branch_intent" / "1" / "model.onnx", site.newest() / "model.onnx")
        write_manifest(site.shared)

    assert site.propose(seed=3, before=exchange_weights) == number
    state = site.wait_for(lambda state: state.proposal and state.proposal.refused)
    assert "does not answer here as it should: golden example 1" in state.proposal.refused
    site.withdraw()
    assert (site.loaded(), site.version()) == (before, live)


def test_a_tritonserver_that_dies_under_a_proposal_comes_back_and_has_it_again(site: Site) -> None:
    number = site.propose(seed=4)
    site.wait_for(lambda state: state.proposal and state.proposal.ready)
    assert site.server.triton_pid is not None
    psutil.Process(site.server.triton_pid).kill()

    site.wait_for(lambda state: state.server_restarts == 1 and state.ready and state.proposal.ready)
    site.commit()
    assert site.version() == number


def test_beside_a_publish_without_a_server_and_another_replica_all_come_to_the_same_generation(
    site: Site, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", SERVE, "--replica", "--repository", str(site.shared)]
    ports = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
    with child_process([*command, *ports], env=environment, stdout=subprocess.PIPE, text=True) as other:
        number = publish(site.checkpoint(5), site.shared, NoServer())[1]  # while it starts
        shown = ""
        while not shown.endswith("Ctrl-C stops.\n"):
            line = other.stdout.readline()
            assert line, shown
            shown += line
        assert f"Espalier serves {site.shared} as a replica" in shown
        generation = read_registry(site.shared).generation
        site.wait_for(lambda state: state.generation == generation)
        http = re.search(r"HTTP +(\S+)", shown)
        assert http is not None
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{http[1]}/state")
        theirs = site.wait_for(lambda state: state.generation == generation, http[1])
        assert theirs.sha256 == site.state().sha256
        assert theirs.server != site.state().server
        assert site.version() == number

        other.send_signal(signal.SIGTERM)
        assert other.wait(SECONDS) == 0
        assert list(tmp_path.iterdir()) == []
