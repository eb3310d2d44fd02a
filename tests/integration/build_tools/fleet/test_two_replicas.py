"""Two real servers on one folder, and what publishing does to both."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import onnx
import pytest
from untrained import save_untrained, tiny_encoder

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from build_tools.artefact.manifest import write_manifest
from build_tools.artefact.seal import seal
from build_tools.artefact.unseal import unseal
from build_tools.build.builder import build
from build_tools.errors import BuildError
from build_tools.fleet.terms import FleetTerms
from build_tools.packaging.package_file import package_file
from build_tools.publishing.fleet_server import Fleet, open_fleet
from build_tools.publishing.publish import publish
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.verify import verify
from build_tools.repository.manifest import hashes_of
from build_tools.repository.proposal import PROPOSAL
from build_tools.repository.registry import read_registry
from build_tools.serving.replica import follower
from build_tools.serving.replica.replica import opened_replica
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from clients.errors import RequestRejected
from training.encoder import Encoder

ROOT = Path(__file__).resolve().parents[4]
# What a machine has not that only serves.
ABSENT = ("torch", "transformers", "safetensors", "onnxscript", "onnx_ir", "datasets", "openvino", "onnxruntime")
TEXT = "a cab"


class Site:
    """A folder, and two servers that follow it."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self._folder, self._encoder = folder, encoder
        self.repository = folder / "repository"
        build([self._checkpoint("intent"), self._checkpoint("mood")], self.repository)
        self.servers: list[Supervisor] = []

    @contextmanager
    def served(self) -> Iterator[None]:
        """Both servers run, and are started and stopped side by side."""
        with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                opened = stack.enter_context(opened_replica(self.repository, 120, print))
                self.servers.append(Supervisor(Settings(opened.view.folder, replica=opened), print))
            try:
                list(pool.map(Supervisor.start, self.servers))
                yield
            finally:
                list(pool.map(Supervisor.stop, self.servers))

    @property
    def addresses(self) -> str:
        return ",".join(f"http://{server.http_url}" for server in self.servers)

    def fleet(self, stack: ExitStack) -> Fleet:
        terms = FleetTerms.of_options(self.addresses, patience=120)
        assert terms is not None
        return stack.enter_context(open_fleet(self.repository, terms, print))

    def artefact(self, seed: int) -> Path:
        """Of intent."""
        file = self._folder / f"artefact_{seed}"
        package_file(self._checkpoint("intent", seed=seed), file)
        return file

    def versions(self, task: str) -> list[int]:
        """Which version answers, on each server."""
        found = []
        for server in self.servers:
            with Client(server.grpc_url) as client:
                found.append(client.predict(TEXT, tasks=[task])[task].version)
        return found

    def _checkpoint(self, task: str, **given: object) -> Path:
        folder = self._folder / f"checkpoint_{len(list(self._folder.glob('checkpoint_*')))}"
        return save_untrained(folder, self._encoder, task, **given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fleet")
    made = Site(folder, tiny_encoder(folder / "encoder"))
    with pytest.MonkeyPatch.context() as patch, made.served():
        patch.setattr(follower, "DRAIN_SECONDS", 2.0)  # no request here takes as long
        yield made


@pytest.fixture
def fleet(site: Site) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield site.fleet(stack)


def _with_other_weights(artefact: Path, folder: Path) -> Path:
    """An artefact whose graph computes something else than its golden examples say; all hashes fit."""
    made = unseal(artefact, folder)
    model = onnx.load(folder / "branch/model.onnx")
    for weight in model.graph.initializer:
        if len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(weight)
            weight.CopyFrom(onnx.numpy_helper.from_array(values[::-1].copy(), weight.name))
    onnx.save(model, folder / "branch/model.onnx")
    files = hashes_of([folder / name for name in made.manifest.files], folder)
    write_manifest(folder, made.manifest.model_copy(update={"files": files}))
    artefact.unlink()
    seal(folder, artefact)
    return artefact


def _files(repository: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in repository.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_one_command_without_torch_or_a_runtime_publishes_an_artefact_to_both(site: Site) -> None:
    program = textwrap.dedent(
        f"""
        import importlib.abc, sys
        class Absent(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name.partition(".")[0] in {ABSENT!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Absent())
        import espalier
        espalier.main()
        """
    )
    given = ["publish", site.artefact(seed=1), "--repository", site.repository, "--fleet", site.addresses]

    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, given)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("intent: version 2 is live\n")
    assert site.versions("intent") == [2, 2]
    assert verify(site.repository) == []


def test_a_version_that_answers_otherwise_is_refused_by_name_and_the_next_one_of_that_number_is_another(
    site: Site, fleet: Fleet, tmp_path: Path
) -> None:
    live = site.versions("intent")[0]
    wrong = _with_other_weights(site.artefact(seed=2), tmp_path / "opened")
    before = _files(site.repository)

    with pytest.raises(BuildError, match=r"refuses it: version \d of intent does not answer here"):
        publish(wrong, site.repository, fleet)

    assert _files(site.repository) == before
    assert site.versions("intent") == [live, live]

    _, number = publish(site.artefact(seed=3), site.repository, fleet)  # at once
    assert number == live + 1
    assert site.versions("intent") == [number, number]


def test_a_rollback_is_one_generation_for_both(site: Site, fleet: Fleet) -> None:
    publish(site.artefact(seed=4), site.repository, fleet)
    dropped, live = rollback("intent", site.repository, fleet)

    assert site.versions("intent") == [live, live]
    registry = read_registry(site.repository)
    assert (registry.tasks["intent"].live, dropped) == (live, live + 1)
    assert {one.state.generation for one in fleet.replicas.look() if one.state} == {registry.generation}
    assert not (site.repository / PROPOSAL).exists()


def test_a_retired_task_is_refused_by_both_and_then_gone_from_the_folder(site: Site, fleet: Fleet) -> None:
    retire("mood", site.repository, fleet)

    for server in site.servers:
        with Client(server.grpc_url) as client, pytest.raises(RequestRejected, match="mood"):
            client.predict(TEXT, tasks=["mood"])
    assert not {"mood", "branch_mood"} & {path.name for path in site.repository.iterdir()}
    assert verify(site.repository) == []
