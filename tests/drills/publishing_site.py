"""A repository of untrained tasks with its own server, to publish to, and callers that load it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from child_process import child_process
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.compaction.compact import compact
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import RunningServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.verify import verify
from build_tools.repository.control_key import read_control_key
from build_tools.repository.registry import DRAIN_SECONDS
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from training.encoder import Encoder
from training.kinds import Kind

HERE = Path(__file__).parent
TASKS = {
    "intent": {"labels": ("a", "b", "c")},
    "mood": {"kind": Kind.MULTI_LABEL, "tap": 1},
    "place": {"labels": ("here", "there")},
    "same": {"kind": Kind.PAIR_CLASSIFICATION, "labels": ("no", "yes")},
    "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x", "I-x"), "tap": 1},
}
SEEN_SECONDS = 1.5  # for every caller to meet what has just changed
ENDING_SECONDS = 2.0  # for a model's process that was told to
SCORE_TOLERANCE = 1e-3


class Site:
    """A repository with its own server, and checkpoints to publish there."""

    def __init__(self, folder: Path) -> None:
        self.encoder = tiny_encoder(folder / "encoder")
        self._folder = folder
        self.repository = folder / "repository"
        self.log = folder / "triton.log"
        build([self.checkpoint(task, **given) for task, given in TASKS.items()], self.repository)
        self.server = Supervisor(Settings(self.repository, log_file=self.log), print)

    @contextmanager
    def served(self) -> Iterator[None]:
        """The server runs, and `client` asks it."""
        with self.server, Client(self.server.grpc_url) as self.client:
            yield

    def checkpoint(self, task: str, encoder: Encoder | None = None, **given: object) -> Path:
        """A new checkpoint."""
        folder = self._folder / f"checkpoint_{len(list(self._folder.glob('checkpoint_*')))}"
        return save_untrained(folder, encoder or self.encoder, task, **(TASKS.get(task, {}) | given))

    def triton(self) -> RunningServer:
        """The way in of who may change what is loaded."""
        return RunningServer(self.server.grpc_url, read_control_key(self.repository))

    def publish(self, folder: Path, **options: object) -> tuple[str, int]:
        with self.triton() as triton:
            return publish(folder, self.repository, triton, **options)  # type: ignore[arg-type]

    def compact(self, **options: object) -> dict[str, str]:
        with self.triton() as triton:
            return compact(self.repository, triton, **options)  # type: ignore[arg-type]

    def change(self, verb: Callable[..., object], task: str, **options: object) -> object:
        with self.triton() as triton:
            return verb(task, self.repository, triton, **options)

    def loads(self) -> list[str]:
        """The models that have been loaded since the server started, one entry for each version's instance."""
        return re.findall(r"TRITONBACKEND_ModelInstanceInitialize: ([\w.]+?)_\d+_\d+ ", self.log.read_text())

    def memory(self) -> int:
        """PSS of the server's process tree, in bytes, once it holds no more than live and previous versions."""
        time.sleep(DRAIN_SECONDS)
        with (
            self.triton() as triton,
            ServedRepository.locked(self.repository, triton, print) as served,
        ):
            settle(served)
        server = psutil.Process(self.server.triton_pid)
        processes: set[int] = set()
        while (now := {one.pid for one in server.children(recursive=True)}) != processes:  # some are still ending
            processes = now
            time.sleep(ENDING_SECONDS)
        return sum(one.memory_full_info().pss for one in (server, *server.children(recursive=True)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of a file."""
    made = Site(tmp_path_factory.mktemp("site"))
    with made.served():
        yield made


@pytest.fixture
def load(site: Site, tmp_path: Path) -> Iterator[Callable[[], dict]]:
    """The site is under load from here on. Called, it ends the load and returns what the callers have seen."""
    urls = [site.server.grpc_url, site.server.http_url]
    with loaded([str(HERE / "steady_load.py"), *urls], tmp_path) as end:
        yield end


@contextmanager
def loaded(program: list[str], folder: Path) -> Iterator[Callable[[], dict]]:
    """Callers ask from here on. Called, it ends them and returns what they have seen.

    program: steady_load.py, or another one of its kind, with its arguments but for STOP and RESULT. folder: for these.
    """
    stop, result = folder / "stop", folder / "result.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *program, str(stop), str(result)]
    with child_process(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"

        def end() -> dict:
            time.sleep(SEEN_SECONDS)
            stop.touch()
            assert process.wait(60) == 0
            return json.loads(result.read_text())

        yield end


def check_answers(seen: dict, changed: set[str]) -> None:
    """One answer for each text of a version: same label and spans, scores to 1e-3. Only `changed` have more of them."""
    first: dict[tuple, dict] = {}
    without_version = {f"ensemble {task}" for task in changed}
    for entry in seen["answers"]:
        if entry["task"] in without_version:
            continue
        key = (entry["task"], entry["version"], entry["text"])
        answer, known = entry["answer"], first.setdefault(key, entry["answer"])
        for field in ("label", "version", "truncated"):
            assert answer[field] == known[field], key
        assert _places(answer) == _places(known), key
        assert answer["scores"] is None or answer["scores"] == pytest.approx(known["scores"], abs=SCORE_TOLERANCE), key
    for task in {entry["task"] for entry in seen["answers"]} - changed - without_version:
        assert len({entry["version"] for entry in seen["answers"] if entry["task"] == task}) == 1, task


def _places(answer: dict) -> object:
    spans = [(span["start"], span["end"], span["label"]) for span in answer["spans"] or ()]
    return spans, [one["label"] for one in answer["labels"] or ()]


def check_tidy(site: Site) -> None:
    assert verify(site.repository) == []
    assert not list(site.repository.parent.glob(".repository.publish-*")), "a staging folder is left"
