"""A fleet that is changed, restarted and killed while it serves: no request fails, no answer is wrong, and all servers
end at one generation.

Each drill prints what it saw (pytest -s).
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from balancer import HAPROXY
from drill_size import drill_size
from expected_answers import check_expected
from fleet_site import FleetSite, check_broken
from publishing_site import check_answers
from sentences import TEXTS

from build_tools.publishing.verify import verify
from build_tools.repository.audit import last_withdrawals
from build_tools.repository.proposal import PROPOSAL
from build_tools.repository.registry import read_registry
from clients import Client
from training.kinds import Kind

pytestmark = [
    pytest.mark.alone,  # the servers are more than two cores' work already
    pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy"),
]

Done = TypeVar("Done")

IS_WHOLE = drill_size(False, True)
SERVERS = drill_size(2, 3)  # and a place for one more
PUBLISHES = drill_size(1, 20)
ROLLBACKS = drill_size(1, 5)
CHANGED = {"intent", "topics", "same"}
SHARES = drill_size((), (0.0, 0.33, 0.66))  # of the changes of files before a commit, at which a publish is killed
MOMENTS = ("proposed", "committed", "starting")  # at which a server is killed


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetSite]:
    site = FleetSite(tmp_path_factory.mktemp("fleet"), SERVERS + 1)
    with site.run(SERVERS):
        yield site


def test_changes_restarts_and_a_kill_under_load_harm_nobody(fleet: FleetSite, tmp_path: Path) -> None:
    # Each version has labels of its own, so that an answer shows which version's labels and logits it is made of.
    versions = [
        fleet.artefact("intent", labels=[f"{label}{number}" for label in "abc"], seed=number)
        for number in range(1, PUBLISHES + 1)
    ]
    canary, last = fleet.artefact("same", seed=1), fleet.artefact("same", seed=2)
    topics = fleet.artefact("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")) if IS_WHOLE else None
    steps = Steps()
    with fleet.load(tmp_path) as load:
        for number, artefact in enumerate(versions, 1):
            steps("publish", lambda artefact=artefact: fleet.publish(artefact, "--redefine"))
            if number % (PUBLISHES // ROLLBACKS) == 0:
                steps("rollback", lambda: fleet.verb("rollback", "intent"))
        steps("canary, until it is withdrawn for all", lambda: _try_a_slow_canary(fleet, canary))
        if topics is not None:
            steps("new task", lambda: fleet.publish(topics))
            steps("retire", lambda: fleet.verb("retire", "topics"))
        kills = [steps("publish with a kill and a new server", lambda: _kill_one_and_start_another(fleet, last))]
        if IS_WHOLE:
            for one in fleet.running:
                steps("restart", lambda one=one: _restart(fleet, one.name))
            steps("compact", lambda: fleet.verb("compact"))
        fleet.wait_until_they_agree()
        seen = load()

    print(f"\n{steps}\n{seen['requests']} requests, asked again after a broken answer: {seen['broken']}")
    assert seen["failures"] == []
    check_broken(seen, kills)
    check_answers(seen, changed=CHANGED)
    check_expected(seen, fleet.expected)
    asked = {(entry["task"], entry["version"]) for entry in seen["answers"]}
    assert asked >= {(task, version) for task, version in fleet.expected if task != "topics"}
    _is_tidy(fleet)


def test_a_publish_that_is_killed_anywhere_leaves_one_generation_and_the_next_mends_the_rest(fleet: FleetSite) -> None:
    points = []
    if SHARES:
        counted = fleet.killed("count", "publish", fleet.artefact("intent", seed=31), "--redefine")
        found = re.search(r"changed (\d+) files before the commit", counted)
        assert found is not None, counted
        points = [str(1 + int(share * (int(found[1]) - 1))) for share in SHARES]
    artefact = fleet.artefact("intent", seed=32)
    for point in [*points, "proposed", "commit", "committed"]:
        before = read_registry(fleet.repository).generation
        death = fleet.killed(point, "publish", artefact)
        print(f"\n{death.splitlines()[-1]}")
        assert read_registry(fleet.repository).generation == before + (point == "committed"), death
        _all_answer_as_the_registry_says(fleet)
        if IS_WHOLE:
            fleet.verb("rollback", "intent") if point == "committed" else fleet.publish(artefact)
            fleet.wait_until_they_agree()
    fleet.publish(artefact)
    fleet.wait_until_they_agree()
    _is_tidy(fleet)


@pytest.mark.skipif(not IS_WHOLE, reason="the short version kills a server under load")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_is_killed_comes_back_to_what_the_others_have(fleet: FleetSite, moment: str) -> None:
    for number, victim in enumerate(fleet.running):
        artefact = fleet.artefact("place", seed=41 + 3 * number + MOMENTS.index(moment))
        if moment == "starting":
            victim.stop()
            victim.start()
            time.sleep(2.0)
            victim.kill()
        with fleet.publishing(artefact, "--require", "50%") as end:
            if moment == "proposed":
                fleet.wait_until_proposed()
                victim.kill()
            task, version = end()
            if moment == "committed":
                victim.kill()
        victim.start()
        victim.wait_until_ready()
        fleet.wait_until_they_agree()
        assert read_registry(fleet.repository).tasks[task].live == version
        _all_answer_as_the_registry_says(fleet)
    _is_tidy(fleet)


@pytest.mark.parametrize("point", drill_size(("commit",), ("3", "proposed", "commit", "committed")))
def test_a_killed_tend_has_published_what_it_was_handed_once_when_the_next_one_goes_on(
    fleet: FleetSite, tmp_path: Path, point: str
) -> None:
    inbox, artefact = tmp_path / "inbox", fleet.artefact("mood", seed=51)
    before = read_registry(fleet.repository).tasks["mood"].newest
    (inbox / "working").mkdir(parents=True)  # as a tend makes it that has run before
    fleet.announced(artefact)
    fleet.hand_in(artefact, inbox)
    death = fleet.killed(point, "tend", "--inbox", inbox)
    print(f"\n{death.splitlines()[-1]}")
    _all_answer_as_the_registry_says(fleet)
    with fleet.tending("--inbox", inbox):
        fleet.wait_for(lambda: list(inbox.glob("done/*/result.json")))
        fleet.wait_until_they_agree()
    entry = read_registry(fleet.repository).tasks["mood"]
    assert (entry.newest, entry.live) == (before + 1, before + 1)
    assert not list(inbox.glob("working/*"))
    _all_answer_as_the_registry_says(fleet)
    _is_tidy(fleet)


class Steps:
    """Does steps, and notes how long each took; in words, the least and the most of each kind."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = {}

    def __call__(self, name: str, do: Callable[[], Done]) -> Done:
        began = time.monotonic()
        done = do()
        self._taken.setdefault(name, []).append(time.monotonic() - began)
        return done

    def __str__(self) -> str:
        lines = (f"{name}: {len(took)}, {min(took):.1f} to {max(took):.1f} s" for name, took in self._taken.items())
        return "\n".join(lines)


def _try_a_slow_canary(fleet: FleetSite, artefact: Path) -> None:
    """No call is as quick as its bound, so whoever sums up what all routers saw withdraws it."""
    with fleet.tending():
        task, version = fleet.publish(artefact, "--canary", "50%", "--max-latency", "0.001", "--judged-after", "30")
        fleet.wait_for(lambda: read_registry(fleet.repository).tasks[task].canary is None)
        fleet.wait_until_they_agree()
    assert (last_withdrawals(fleet.repository).get(task) or {}).get("version") == version


def _kill_one_and_start_another(fleet: FleetSite, artefact: Path) -> float:
    """In the middle of a publish. Returns when (time.time()). The one that is killed comes back afterwards."""
    victim, new = fleet.running[0], next(one for one in fleet.replicas if not one.is_running)
    with fleet.publishing(artefact, "--require", str(SERVERS - 1)) as end:
        fleet.wait_until_proposed()
        killed = time.time()
        victim.kill()
        new.start()
        end()
    new.wait_until_ready()
    victim.start()
    victim.wait_until_ready()
    return killed


def _restart(fleet: FleetSite, name: str) -> None:
    one = next(one for one in fleet.replicas if one.name == name)
    one.stop()
    one.start()
    one.wait_until_ready()


def _all_answer_as_the_registry_says(fleet: FleetSite) -> None:
    """Each server answers with the version that is live, before anybody mends anything."""
    fleet.wait_until_at_one_generation()
    live = {task: entry.live for task, entry in read_registry(fleet.repository).tasks.items()}
    for one in fleet.running:
        with Client(one.ports.grpc_url) as client:
            answers = client.predict(TEXTS[0], TEXTS[0])
        assert {task: answer.version for task, answer in answers.items()} == live, one.name


def _is_tidy(fleet: FleetSite) -> None:
    assert verify(fleet.repository) == []
    assert not (fleet.repository / PROPOSAL).exists()
    assert not list(fleet.repository.parent.glob(".repository.publish-*")), "a staging folder is left"
