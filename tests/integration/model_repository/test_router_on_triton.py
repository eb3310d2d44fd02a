"""The routers on a real tritonserver, without a supervisor: model processes that die, and damaged registries."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from untrained import save_untrained, tiny_encoder

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from tritonclient import grpc

from build_tools.build.builder import build
from build_tools.serving.triton.server import TritonServer
from clients import Client
from clients.answer import Answer
from clients.errors import ServerUnavailable
from training.kinds import Kind

PATIENCE = 60.0
TASKS = ["intent", "slots"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("router")
    encoder = tiny_encoder(folder / "encoder")
    slots = save_untrained(folder / "slots", encoder, "slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1)
    build([save_untrained(folder / "intent", encoder, "intent"), slots], folder / "repository")
    return folder / "repository"


@pytest.fixture(scope="module")
def metrics_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(scope="module")
def server(repository: Path, metrics_folder: Path) -> Iterator[TritonServer]:
    with TritonServer(repository, metrics=metrics_folder) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[Client]:
    with Client(server.grpc_url) as client:
        yield client


@pytest.fixture
def counted(metrics_folder: Path) -> Callable[..., float]:
    """(name, labels) -> the sum over all processes, as the supervisor's /metrics shows it; 0 if there is none."""

    def counted(name: str, **labels: str) -> float:
        time.sleep(0.5)  # routers hand over what they count a few times a second
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(metrics_folder))
        samples = (sample for family in registry.collect() for sample in family.samples)
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    return counted


def _processes(server: TritonServer, model: str) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children(recursive=True)
    alive = [process for process in children if process.status() != psutil.STATUS_ZOMBIE]
    return [process for process in alive if any(f"/{model}/" in part for part in process.cmdline()[1:2])]


def _load_afresh(server: TritonServer, model: str) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as triton:
        triton.unload_model(model)
        triton.load_model(model)


def _is_back(client: Client) -> bool:
    try:
        return all(answer.error is None for _ in range(4) for answer in client.predict("a b", tasks=TASKS).values())
    except ServerUnavailable:
        return False


def _streams(client: Client) -> bool:
    try:
        return {task for task, _ in client.stream("a b", tasks=TASKS)} == set(TASKS)
    except ServerUnavailable:
        return False


def _settled(count: Callable[[], float]) -> float:
    """What is counted, once it does not change any more."""
    before, now = count(), count()
    while before != now:
        before, now = now, count()
    return now


def _wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _is_short(longest_wait: Callable[[], float]) -> bool:
    """Whether callers need not wait until Triton notices: it takes a second for one call, and several for several.

    One pause of this machine is as long, so a long wait is measured again: Triton would take its second every time.
    """
    return any(longest_wait() < 0.9 for _ in range(4))


class Asked:
    """What callers got, and how long they waited, while the block ran."""

    def __init__(self, url: str) -> None:
        self.answers: list[dict[str, Answer]] = []
        self.errors: list[Exception] = []
        self.longest = 0.0
        self._url = url
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> "Asked":
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        self.longest = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[Answer]:
        """The answers of intent that are errors."""
        return [answers["intent"] for answers in self.answers if answers["intent"].error]

    def _ask(self) -> None:
        with Client(self._url) as client:
            while not self._ended.is_set():
                begun = time.monotonic()
                try:
                    self.answers.append(client.predict("a b", tasks=TASKS))
                except Exception as error:
                    self.errors.append(error)
                self.longest = max(self.longest, time.monotonic() - begun)
                time.sleep(0.02)


def test_a_branch_that_dies_costs_the_other_tasks_no_time_and_no_answer_and_is_back_once_it_is_loaded(
    server: TritonServer, client: Client, counted: Callable[..., float]
) -> None:
    def errors() -> float:
        return counted("espalier_errors_total", task="intent", **{"class": "unavailable"})

    def longest_wait() -> float:
        _wait_until(lambda: _is_back(client))
        before = _settled(errors)
        with Asked(server.grpc_url) as asked:
            (process,) = _processes(server, "branch_intent")
            process.send_signal(signal.SIGKILL)
            time.sleep(3)
            _wait_until(lambda: len(asked.failed) > 20)

        assert asked.errors == []
        assert all(answers["slots"].error is None for answers in asked.answers)
        assert all(answer.unavailable for answer in asked.failed)
        _wait_until(lambda: counted("espalier_breaker_open", model="branch_intent", version="1") == 1)
        _wait_until(lambda: errors() - before == len(asked.failed))

        _load_afresh(server, "branch_intent")

        _wait_until(lambda: _is_back(client))
        return asked.longest

    assert _is_short(longest_wait)


def test_a_trunk_that_dies_is_unavailable_at_once_on_streams_too_and_comes_back(
    server: TritonServer, client: Client
) -> None:
    _wait_until(lambda: _is_back(client))
    (process,) = _processes(server, "trunk")
    process.send_signal(signal.SIGKILL)
    time.sleep(0.5)

    begun = time.monotonic()
    for _ in range(10):
        with pytest.raises(ServerUnavailable, match="cannot answer now"):
            client.predict("a b")
        with pytest.raises(ServerUnavailable, match="cannot answer now"):
            list(client.stream("a b"))
    assert time.monotonic() - begun < 5

    _load_afresh(server, "trunk")

    _wait_until(lambda: _is_back(client))
    _wait_until(lambda: _streams(client))


def test_a_stopped_process_keeps_nobody_waiting(server: TritonServer, client: Client) -> None:
    def longest_wait() -> float:
        _wait_until(lambda: _is_back(client))
        with Asked(server.grpc_url) as asked:
            (process,) = _processes(server, "branch_intent")
            process.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            process.send_signal(signal.SIGKILL)  # as the supervisor does: what goes on after a second answers no more
            _wait_until(lambda: asked.failed)

        assert asked.errors == []
        assert all(answers["slots"].error is None for answers in asked.answers)
        assert all(answer.unavailable for answer in asked.failed)
        _load_afresh(server, "branch_intent")
        _wait_until(lambda: _is_back(client))
        return asked.longest

    assert _is_short(longest_wait)


@pytest.mark.parametrize("damage", ["brackets", "no tasks", "a wrong tap", "a version that is not there"])
def test_a_damaged_registry_leaves_the_last_good_one_in_force_with_an_alarm(
    server: TritonServer, client: Client, repository: Path, counted: Callable[..., float], damage: str
) -> None:
    _wait_until(lambda: _is_back(client))
    file = repository / "registry.json"
    good = file.read_bytes()
    content = json.loads(good)
    if damage == "no tasks":
        content["tasks"] = {}
    elif damage == "a wrong tap":
        content["tasks"]["intent"]["versions"]["1"]["tap"] = 3
    else:
        content["tasks"]["intent"]["versions"]["1"]["model"] = "branch_gone"
    before = counted("espalier_registry_rejections_total")
    try:
        _put(file, b"[" * 100_000 if damage == "brackets" else json.dumps(content).encode())

        assert all(_is_back(client) for _ in range(3))
        _wait_until(lambda: counted("espalier_registry_rejected", model="nlu") == 1)
        assert counted("espalier_registry_rejections_total") - before <= len(_processes(server, "nlu"))
    finally:
        _put(file, good)
    assert all(_is_back(client) for _ in range(3))
    _wait_until(lambda: counted("espalier_registry_rejected", model="nlu") == 0)


def _put(file: Path, content: bytes) -> None:
    new = file.with_name("new")
    new.write_bytes(content)
    new.replace(file)


def test_what_was_answered_is_counted_by_task_version_and_label(client: Client, counted: Callable[..., float]) -> None:
    def answered() -> float:
        return counted("espalier_answers_total", task="intent", version="1")

    before = _settled(answered)
    answers = client.predict_batch(["a b", "c d", "e"], tasks=TASKS)

    label = answers[0]["intent"].label
    assert label is not None
    _wait_until(lambda: answered() - before == 3)
    assert counted("espalier_answers_total", task="intent", version="1", label=label) >= 1
    assert counted("espalier_branch_seconds_count", task="slots", version="1") >= 1
    assert counted("espalier_trunk_reached_total", model="nlu") >= 3
