"""Publishing on a server under load: nobody's request fails, nobody gets a wrong answer, nothing is loaded in vain."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from damages import DAMAGES
from sentences import TEXTS
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from build_tools.errors import BuildError
from build_tools.publishing.promote import promote
from build_tools.publishing.publish import publish
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import RunningServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.status import TaskStatus, read_status
from build_tools.publishing.verify import verify
from build_tools.repository.registry import DRAIN_SECONDS, CanaryTerms, read_registry
from build_tools.serving.server import TritonServer
from clients import Client
from clients.errors import RequestRejected
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
PUBLISHES = 30
ROLLBACKS = 10
KILLS = 20
LATE_KILLS = 5
SEEN_SECONDS = 1.5  # for every caller to meet what has just changed
ENDING_SECONDS = 2.0  # for a model's process that was told to
SCORE_TOLERANCE = 1e-3


class Site:
    """A repository with a server of its own, and checkpoints to publish there."""

    def __init__(self, folder: Path) -> None:
        self.encoder = tiny_encoder(folder / "encoder")
        self._folder = folder
        self.repository = folder / "repository"
        self.log = folder / "triton.log"
        build([self.checkpoint(task, **given) for task, given in TASKS.items()], self.repository)
        self.server = TritonServer(self.repository, log_file=self.log)

    def checkpoint(self, task: str, encoder: Encoder | None = None, **given: object) -> Path:
        """A new checkpoint."""
        folder = self._folder / f"checkpoint_{len(list(self._folder.glob('checkpoint_*')))}"
        return save_untrained(folder, encoder or self.encoder, task, **(TASKS.get(task, {}) | given))

    def publish(self, folder: Path, **options: object) -> tuple[str, int]:
        with RunningServer(self.server.grpc_url) as triton:
            return publish(folder, self.repository, triton, **options)  # type: ignore[arg-type]

    def change(self, verb: Callable[..., object], task: str, **options: object) -> object:
        with RunningServer(self.server.grpc_url) as triton:
            return verb(task, self.repository, triton, **options)

    def loads(self) -> list[str]:
        """The models that have been loaded since the server started, one entry for each version's instance."""
        return re.findall(r"TRITONBACKEND_ModelInstanceInitialize: ([\w.]+?)_\d+_\d+ ", self.log.read_text())

    def memory(self) -> int:
        """PSS of the server's process tree, in bytes, once it holds no more than live and previous versions."""
        time.sleep(DRAIN_SECONDS)
        with (
            RunningServer(self.server.grpc_url) as triton,
            ServedRepository.locked(self.repository, triton, print) as served,
        ):
            settle(served)
        server = psutil.Process(self.server.pid)
        processes: set[int] = set()
        while (now := {one.pid for one in server.children(recursive=True)}) != processes:  # some are still ending
            processes = now
            time.sleep(ENDING_SECONDS)
        return sum(one.memory_full_info().pss for one in (server, *server.children(recursive=True)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    with made.server:
        yield made


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Client(site.server.grpc_url) as opened:
        yield opened


@pytest.fixture
def load(site: Site, tmp_path: Path) -> Iterator[Callable[[], dict]]:
    """Under load from here on. Called, it ends the load and returns what the callers have seen."""
    stop, result = tmp_path / "stop", tmp_path / "result.json"
    urls = [site.server.grpc_url, site.server.http_url]
    program = [sys.executable, str(HERE / "steady_load.py"), *urls, str(stop), str(result)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    def end() -> dict:
        time.sleep(SEEN_SECONDS)
        stop.touch()
        assert process.wait(60) == 0
        return json.loads(result.read_text())

    try:
        yield end
    finally:
        stop.touch()
        process.wait(60)


def _check_answers(seen: dict, changed: set[str]) -> None:
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


def test_thirty_publishes_ten_rollbacks_a_new_task_and_a_retirement_under_load_harm_nobody(
    site: Site, load: Callable[[], dict], client: Client
) -> None:
    before = site.loads()
    memory = {}
    for number in range(1, PUBLISHES + 1):
        # Each version has labels of its own, so that an answer shows which version's labels and logits it is made of.
        labels = [f"{label}{number}" for label in "abc"] + (["d"] if number == PUBLISHES // 2 else [])
        _, version = site.publish(site.checkpoint("intent", labels=labels, seed=number))
        assert client.predict(TEXTS[0], tasks=["intent"])["intent"].version == version
        if number % (PUBLISHES // ROLLBACKS) == 0:
            site.change(rollback, "intent")
        if number in (3, PUBLISHES):
            memory[number] = site.memory()
    loaded = site.loads()[len(before) :]
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    site.change(retire, "topics")
    seen = load()

    assert seen["failures"] == []
    assert seen["requests"] > 10 * PUBLISHES
    _check_answers(seen, changed={"intent", "topics"})
    for entry in seen["answers"]:
        if entry["task"] == "intent":
            published = str(entry["version"] - 1) if entry["version"] > 1 else ""
            labels = set(entry["answer"]["scores"])
            assert labels - {"d"} == {f"{label}{published}" for label in "abc"}, entry
    assert len(loaded) == PUBLISHES, "each publish loads one version"
    assert {model.split(".")[0] for model in loaded} == {"branch_intent"}
    assert memory[PUBLISHES] < 1.05 * memory[3]
    assert verify(site.repository) == []


def test_a_redefined_task_answers_with_the_labels_of_one_version_and_never_of_two(
    site: Site, load: Callable[[], dict]
) -> None:
    """The number of labels changes, and so the shape of the logits."""
    site.publish(site.checkpoint("place", labels=("north", "south", "east", "west")))
    time.sleep(SEEN_SECONDS)
    site.change(rollback, "place")
    seen = load()

    assert seen["failures"] == []
    versions = {
        entry["version"]: set(entry["answer"]["scores"]) for entry in seen["answers"] if entry["task"] == "place"
    }
    assert versions == {1: {"here", "there"}, 2: {"north", "south", "east", "west"}}


def test_a_tap_that_the_trunk_has_not_is_added_while_it_serves(site: Site, load: Callable[[], dict]) -> None:
    before = site.loads()
    _, version = site.publish(site.checkpoint("same", tap=3))
    seen = load()

    assert seen["failures"] == []
    _check_answers(seen, changed={"same"})
    assert sorted(site.loads()[len(before) :]) == ["branch_same", "trunk"]
    assert read_registry(site.repository).trunks["trunk"].taps == [1, 2, 3]
    assert {entry["version"] for entry in seen["answers"] if entry["task"] == "same"} == {1, version}


def test_a_branch_of_another_encoder_is_served_beside_the_others_on_a_trunk_of_its_own(
    site: Site, load: Callable[[], dict], client: Client, tmp_path: Path
) -> None:
    other = tiny_encoder(tmp_path / "encoder", seed=5)
    _, version = site.publish(site.checkpoint("mood", encoder=other), encoder=other.name)
    seen = load()

    assert seen["failures"] == []
    _check_answers(seen, changed={"mood"})
    assert client.predict(TEXTS[0], tasks=["mood"])["mood"].version == version
    assert sorted(read_registry(site.repository).trunks) == ["trunk", "trunk.2"]


def test_a_canary_answers_its_share_of_the_texts_and_each_text_always_with_the_same_version(
    site: Site, client: Client
) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    _, version = site.publish(site.checkpoint("slots", seed=3), canary=CanaryTerms(share=0.3))
    texts = [f"{text} {number}" for number in range(40) for text in TEXTS]

    first, again = (
        [answers["slots"].version for answers in client.predict_batch(texts, tasks=["slots"])] for _ in "12"
    )

    assert first == again
    assert set(first) == {live, version}
    assert 0.2 < first.count(version) / len(texts) < 0.4
    site.change(promote, "slots")
    assert client.predict(TEXTS[0], tasks=["slots"])["slots"].version == version


def test_a_canary_out_of_its_bounds_is_rolled_back_by_itself(site: Site, client: Client) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    terms = CanaryTerms(share=1.0, max_milliseconds=0.001, minimum=5)
    site.publish(site.checkpoint("slots", seed=4), canary=terms)

    deadline = time.monotonic() + 20
    while read_registry(site.repository).tasks["slots"].canary and time.monotonic() < deadline:
        client.predict(TEXTS[0], tasks=["slots"])

    assert read_registry(site.repository).tasks["slots"].canary is None
    assert client.predict(TEXTS[0], tasks=["slots"])["slots"].version == live
    (status,) = [one for one in _status(site) if one.task == "slots"]
    assert "calls took" in status.withdrawn


def test_a_shadow_never_answers_and_the_status_tells_how_often_it_differs_with_examples(
    site: Site, client: Client
) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    _, version = site.publish(site.checkpoint("slots", seed=17), shadow=True)

    answers = client.predict_batch(list(TEXTS), tasks=["slots"])

    assert {answer["slots"].version for answer in answers} == {live}
    (status,) = [one for one in _status(site) if one.task == "slots"]
    assert (status.candidate.version, status.candidate.kind, status.candidate.compared) == (
        version,
        "shadow",
        len(TEXTS),
    )
    assert 0 < status.candidate.differing == len(status.candidate.examples)
    assert {live, version} <= set(status.loaded)
    site.change(rollback, "slots")


def test_a_retired_task_is_out_of_router_ensembles_and_memory_and_who_asks_for_it_is_told(
    site: Site, load: Callable[[], dict], client: Client
) -> None:
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    site.change(retire, "topics")
    seen = load()

    assert seen["failures"] == []
    with pytest.raises(RequestRejected, match="the task 'topics' was retired; known tasks: intent"):
        client.predict(TEXTS[0], tasks=["topics"])
    assert "topics" not in client.predict(TEXTS[0])
    with RunningServer(site.server.grpc_url) as triton:
        assert not {"topics", "branch_topics"} & triton.ready_versions().keys()


def test_a_publish_that_is_killed_anywhere_leaves_the_live_version_and_the_next_one_works(
    site: Site, client: Client
) -> None:
    live = read_registry(site.repository).tasks["intent"].live
    checkpoint = site.checkpoint("intent", tap=3, labels=("one", "two"), max_length=16, seed=23)
    killed = []
    with _killer(site, "publish", str(checkpoint)) as kill:
        for point in range(KILLS):
            killed.append(kill("before", point / (KILLS - 1)))
            assert read_registry(site.repository).tasks["intent"].live == live, killed[-1]
            assert client.predict(TEXTS[0], tasks=["intent"])["intent"].version == live, killed[-1]

    places = {death.partition(":")[0] for death in killed}
    assert len(places) == KILLS
    assert {"export of the branch", "moving in", "registry"} <= {place.split(",")[0] for place in places}
    assert site.publish(checkpoint)[0] == "intent"
    assert client.predict(TEXTS[0], tasks=["intent"])["intent"].label in ("one", "two")
    _check_tidy(site)


def test_a_publish_that_is_killed_once_it_is_live_stays_live_and_the_next_change_works(
    site: Site, client: Client
) -> None:
    before = read_registry(site.repository).tasks["intent"].live
    checkpoint = site.checkpoint("intent", tap=3, labels=("one", "two"), max_length=16, seed=29)
    with _killer(site, "publish", str(checkpoint)) as kill:
        for point in range(LATE_KILLS):
            killed = kill("after", point / LATE_KILLS)  # the last of what follows is not the same without a server
            live = read_registry(site.repository).tasks["intent"].live
            assert client.predict(TEXTS[0], tasks=["intent"])["intent"].version == live > before, killed
            site.change(rollback, "intent")
            assert client.predict(TEXTS[0], tasks=["intent"])["intent"].version == before, killed
    site.publish(checkpoint)
    _check_tidy(site)


def test_a_rollback_that_is_killed_anywhere_leaves_one_of_the_two_versions_live(site: Site, client: Client) -> None:
    older = read_registry(site.repository).tasks["place"].live
    _, newer = site.publish(site.checkpoint("place", seed=31))
    with _killer(site, "rollback", "place") as kill:
        for point in range(LATE_KILLS):
            killed = kill("before", point / (LATE_KILLS - 1))
            assert client.predict(TEXTS[0], tasks=["place"])["place"].version == newer, killed
        killed = kill("after", 0.5)
    assert client.predict(TEXTS[0], tasks=["place"])["place"].version == older, killed
    site.publish(site.checkpoint("place", seed=37))
    _check_tidy(site)


def test_a_retirement_that_is_killed_is_completed_by_the_next_change(site: Site, client: Client) -> None:
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    with _killer(site, "retire", "topics") as kill:
        killed = kill("after", 0.5)
    with pytest.raises(RequestRejected, match="the task 'topics' was retired"):
        client.predict(TEXTS[0], tasks=["topics"])
    site.publish(site.checkpoint("place", seed=41))
    with RunningServer(site.server.grpc_url) as triton:
        assert not {"topics", "branch_topics"} & triton.ready_versions().keys(), killed
    _check_tidy(site)


def test_teams_that_publish_at_once_all_come_to_their_turn(
    site: Site, load: Callable[[], dict], client: Client
) -> None:
    newest = {task: entry.newest for task, entry in read_registry(site.repository).tasks.items()}
    teams = ["mood", "slots", "place", "place", "place"]
    checkpoints = [site.checkpoint(task, seed=43 + number) for number, task in enumerate(teams)]
    program = [sys.executable, str(HERE / "publish_at_once.py"), str(site.repository), site.server.grpc_url]
    ended = subprocess.run([*program, *map(str, checkpoints)], stdout=subprocess.PIPE, text=True, check=True)
    seen = load()

    assert seen["failures"] == []
    _check_answers(seen, changed=set(teams))
    added = {task: [newest[task] + 1 + number for number in range(teams.count(task))] for task in teams}
    expected = [f"{task} {number}" for task, numbers in added.items() for number in numbers]
    assert sorted(ended.stdout.splitlines()) == sorted(expected)
    answers = client.predict(TEXTS[0], TEXTS[1])
    assert {task: answers[task].version for task in teams} == {task: numbers[-1] for task, numbers in added.items()}
    _check_tidy(site)


def test_no_damaged_checkpoint_becomes_live_on_a_server_or_is_loaded(
    site: Site, load: Callable[[], dict], tmp_path: Path
) -> None:
    sound = site.checkpoint("intent", seed=47)
    before, loaded = (site.repository / "registry.json").read_bytes(), site.loads()
    for number, damage in enumerate(DAMAGES.values()):
        damaged = shutil.copytree(sound, tmp_path / str(number))
        damage(damaged)
        with pytest.raises(BuildError, match=r"is not published: it failed at step '.+': .+"):
            site.publish(damaged)
    seen = load()

    assert seen["failures"] == []
    _check_answers(seen, changed=set())
    assert (site.repository / "registry.json").read_bytes() == before
    assert site.loads() == loaded
    _check_tidy(site)


def test_a_server_that_starts_on_what_was_published_serves_the_live_versions(site: Site) -> None:
    live = {task: entry.live for task, entry in read_registry(site.repository).tasks.items()}
    with TritonServer(site.repository) as server, Client(server.grpc_url) as client:
        answers = client.predict(TEXTS[0], TEXTS[1])

    assert {task: answer.version for task, answer in answers.items()} == live


@contextmanager
def _killer(site: Site, verb: str, given: str) -> Iterator[Callable[[str, float], str]]:
    """(part, share) -> what the change was about to do when it was killed there; see kill_points."""
    program = [sys.executable, str(HERE / "kill_points.py"), str(site.repository), site.server.grpc_url, verb, given]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        orders, deaths = killer.stdin, killer.stdout

        def kill(part: str, share: float) -> str:
            print(part, share, file=orders, flush=True)
            death = deaths.readline()
            assert death, f"the {verb} was not killed"
            return death

        yield kill
        orders.close()


def _check_tidy(site: Site) -> None:
    assert verify(site.repository) == []
    assert not list(site.repository.parent.glob(".repository.publish-*")), "a staging folder is left"


def _status(site: Site) -> list[TaskStatus]:
    server = site.server
    return read_status(site.repository, read_registry(site.repository), server.grpc_url, server.metrics_url)
