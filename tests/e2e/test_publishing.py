"""Publishing to a running server: what its callers, its status and a new server see of it."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from publishing_site import SEEN_SECONDS, Site, check_answers, check_tidy
from sentences import TEXTS
from tiny_families import save_family

from build_tools.packaging.package_file import package_file
from build_tools.publishing.metrics_page import read_metrics
from build_tools.publishing.promote import promote
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import RunningServer
from build_tools.publishing.status import TaskStatus, read_status
from build_tools.repository.control_key import read_control_key
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client
from clients.errors import RequestRejected
from training.encoder import load_encoder
from training.kinds import Kind

HERE = Path(__file__).parent


def test_a_redefined_task_answers_with_the_labels_of_one_version_and_never_of_two(
    site: Site, load: Callable[[], dict]
) -> None:
    """The number of labels changes, and so the shape of the logits."""
    site.publish(site.checkpoint("place", labels=("north", "south", "east", "west")), redefine=True)
    time.sleep(2 * SEEN_SECONDS)
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
    check_answers(seen, changed={"same"})
    assert sorted(site.loads()[len(before) :]) == ["branch_same", "trunk"]
    assert read_registry(site.repository).trunks["trunk"].taps == [1, 2, 3]
    assert {entry["version"] for entry in seen["answers"] if entry["task"] == "same"} == {1, version}


def test_an_artefact_that_was_packaged_elsewhere_goes_live_and_nothing_else_is_loaded(
    site: Site, load: Callable[[], dict], tmp_path: Path
) -> None:
    artefact = tmp_path / "place.espalier"
    package_file(site.checkpoint("place", seed=51), artefact, site.repository)
    before = site.loads()
    _, version = site.publish(artefact)
    seen = load()

    assert seen["failures"] == []
    check_answers(seen, changed={"place"})
    assert site.loads()[len(before) :] == ["branch_place"]
    assert site.client.predict(TEXTS[0], tasks=["place"])["place"].version == version


def test_a_branch_of_another_encoder_family_is_served_beside_the_others_on_a_trunk_of_its_own(
    site: Site, load: Callable[[], dict], tmp_path: Path
) -> None:
    other = load_encoder(str(save_family("mpnet", tmp_path / "encoder")))
    _, version = site.publish(site.checkpoint("mood", encoder=other), encoder=other.name)
    seen = load()

    assert seen["failures"] == []
    check_answers(seen, changed={"mood"})
    assert site.client.predict(TEXTS[0], tasks=["mood"])["mood"].version == version
    assert sorted(read_registry(site.repository).trunks) == ["trunk", "trunk.2"]


def test_a_canary_answers_its_share_of_the_texts_and_each_text_always_with_the_same_version(site: Site) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    _, version = site.publish(site.checkpoint("slots", seed=3), canary=CanaryTerms(share=0.3, max_label_shift=1))
    texts = [f"{text} {number}" for number in range(40) for text in TEXTS]

    first, again = (
        [answers["slots"].version for answers in site.client.predict_batch(texts, tasks=["slots"])] for _ in "12"
    )

    assert first == again
    assert set(first) == {live, version}
    assert 0.2 < first.count(version) / len(texts) < 0.4
    site.change(promote, "slots")
    assert site.client.predict(TEXTS[0], tasks=["slots"])["slots"].version == version


def test_a_canary_out_of_its_bounds_is_rolled_back_by_itself(site: Site) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    terms = CanaryTerms(share=1.0, max_milliseconds=0.001, minimum=5)
    site.publish(site.checkpoint("slots", seed=4), canary=terms)

    deadline = time.monotonic() + 20
    while read_registry(site.repository).tasks["slots"].canary and time.monotonic() < deadline:
        site.client.predict(TEXTS[0], tasks=["slots"])

    assert read_registry(site.repository).tasks["slots"].canary is None
    assert site.client.predict(TEXTS[0], tasks=["slots"])["slots"].version == live
    # The reason is written a moment after the registry.
    while not (withdrawn := _status_of(site, "slots").withdrawn) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "calls took" in withdrawn


def test_a_shadow_never_answers_and_the_status_tells_how_often_it_differs_with_examples(site: Site) -> None:
    live = read_registry(site.repository).tasks["slots"].live
    _, version = site.publish(site.checkpoint("slots", seed=17), shadow=True)

    answers = site.client.predict_batch(list(TEXTS), tasks=["slots"])

    assert {answer["slots"].version for answer in answers} == {live}
    deadline = time.monotonic() + 20  # routers hand over what they have counted a few times a second
    while (status := _status_of(site, "slots")).candidate.compared < len(TEXTS) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (status.candidate.version, status.candidate.kind, status.candidate.compared) == (
        version,
        "shadow",
        len(TEXTS),
    )
    assert 0 < status.candidate.differing == len(status.candidate.examples)
    assert {live, version} <= set(status.loaded)
    site.change(rollback, "slots")


def test_a_retired_task_is_out_of_router_ensembles_and_memory_and_who_asks_for_it_is_told(
    site: Site, load: Callable[[], dict]
) -> None:
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    site.change(retire, "topics")
    seen = load()

    assert seen["failures"] == []
    with pytest.raises(RequestRejected, match="the task 'topics' was retired; known tasks: intent"):
        site.client.predict(TEXTS[0], tasks=["topics"])
    assert "topics" not in site.client.predict(TEXTS[0])
    with RunningServer(site.server.grpc_url, read_control_key(site.repository)) as triton:
        assert not {"topics", "branch_topics"} & triton.ready_versions().keys()


def test_teams_that_publish_at_once_all_come_to_their_turn(site: Site, load: Callable[[], dict]) -> None:
    newest = {task: entry.newest for task, entry in read_registry(site.repository).tasks.items()}
    teams = ["mood", "slots", "place", "place", "place"]
    checkpoints = [site.checkpoint(task, seed=43 + number) for number, task in enumerate(teams)]
    program = [sys.executable, str(HERE / "publish_at_once.py"), str(site.repository), site.server.grpc_url]
    ended = subprocess.run([*program, *map(str, checkpoints)], stdout=subprocess.PIPE, text=True, check=True)
    seen = load()

    assert seen["failures"] == []
    check_answers(seen, changed=set(teams))
    added = {task: [newest[task] + 1 + number for number in range(teams.count(task))] for task in teams}
    expected = [f"{task} {number}" for task, numbers in added.items() for number in numbers]
    assert sorted(ended.stdout.splitlines()) == sorted(expected)
    answers = site.client.predict(TEXTS[0], TEXTS[1])
    assert {task: answers[task].version for task in teams} == {task: numbers[-1] for task, numbers in added.items()}
    check_tidy(site)


def test_a_server_that_starts_on_what_was_published_serves_the_live_versions(site: Site) -> None:
    live = {task: entry.live for task, entry in read_registry(site.repository).tasks.items()}
    with Supervisor(Settings(site.repository), print) as server, Client(server.grpc_url) as client:
        answers = client.predict(TEXTS[0], TEXTS[1])

    assert {task: answer.version for task, answer in answers.items()} == live


def _status_of(site: Site, task: str) -> TaskStatus:
    server, registry = site.server, read_registry(site.repository)
    found = read_status(site.repository, registry, server.grpc_url, read_metrics(server.metrics_url))
    (status,) = [one for one in found if one.task == task]
    return status
