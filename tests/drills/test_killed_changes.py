"""A change of a repository that is killed on the way: the live version stays, and the next change works."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from child_process import child_process
from drill_size import drill_size
from publishing_site import Site, check_tidy
from sentences import TEXTS

from build_tools.publishing.rollback import rollback
from build_tools.repository.registry import read_registry
from clients.errors import RequestRejected
from training.kinds import Kind

HERE = Path(__file__).parent
KILLS = drill_size(10, 20)  # 10: one in each step of a publish
LATE_KILLS = drill_size(2, 5)
COMPACTION_KILLS = drill_size(4, 20)


@pytest.fixture(scope="module", autouse=True)
def _the_trunk_has_every_tap(site: Site) -> None:
    """So that a publish exports only a branch: tracing a trunk would take seconds before each kill."""
    site.publish(site.checkpoint("same", tap=3))


def test_a_publish_that_is_killed_anywhere_leaves_the_live_version_and_the_next_one_works(site: Site) -> None:
    live = read_registry(site.repository).tasks["intent"].live
    checkpoint = site.checkpoint("intent", tap=3, labels=("one", "two"), max_length=16, seed=23)
    killed = []
    with _killer(site, "publish", str(checkpoint)) as kill:
        for point in range(KILLS):
            killed.append(kill("before", point / (KILLS - 1)))
            assert read_registry(site.repository).tasks["intent"].live == live, killed[-1]
            assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].version == live, killed[-1]

    places = {death.partition(":")[0] for death in killed}
    assert len(places) == KILLS
    assert {"export of the branch", "moving in", "registry"} <= {place.split(",")[0] for place in places}
    assert site.publish(checkpoint, redefine=True)[0] == "intent"
    assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].label in ("one", "two")
    check_tidy(site)


def test_a_publish_that_is_killed_once_it_is_live_stays_live_and_the_next_change_works(site: Site) -> None:
    before = read_registry(site.repository).tasks["intent"].live
    checkpoint = site.checkpoint("intent", tap=3, labels=("one", "two"), max_length=16, seed=29)
    with _killer(site, "publish", str(checkpoint)) as kill:
        for point in range(LATE_KILLS):
            killed = kill("after", point / LATE_KILLS)  # the last of what follows is not the same without a server
            live = read_registry(site.repository).tasks["intent"].live
            assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].version == live > before, killed
            site.change(rollback, "intent")
            assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].version == before, killed
    site.publish(checkpoint, redefine=True)
    check_tidy(site)


def test_a_rollback_that_is_killed_anywhere_leaves_one_of_the_two_versions_live(site: Site) -> None:
    older = read_registry(site.repository).tasks["place"].live
    _, newer = site.publish(site.checkpoint("place", seed=31))
    with _killer(site, "rollback", "place") as kill:
        for point in range(LATE_KILLS):
            killed = kill("before", point / (LATE_KILLS - 1))
            assert site.client.predict(TEXTS[0], tasks=["place"])["place"].version == newer, killed
        killed = kill("after", 0.5)
    assert site.client.predict(TEXTS[0], tasks=["place"])["place"].version == older, killed
    site.publish(site.checkpoint("place", seed=37))
    check_tidy(site)


def test_a_retirement_that_is_killed_is_completed_by_the_next_change(site: Site) -> None:
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    with _killer(site, "retire", "topics") as kill:
        killed = kill("after", 0.5)
    with pytest.raises(RequestRejected, match="the task 'topics' was retired"):
        site.client.predict(TEXTS[0], tasks=["topics"])
    site.publish(site.checkpoint("place", seed=41))
    with site.triton() as triton:
        assert not {"topics", "branch_topics"} & triton.ready_versions().keys(), killed
    check_tidy(site)


def test_a_compaction_that_is_killed_anywhere_leaves_everything_as_it_was_and_the_next_one_works(site: Site) -> None:
    before, answers = read_registry(site.repository), _answers(site)
    with _killer(site, "compact", ",".join(before.tasks)) as kill:
        for point in range(COMPACTION_KILLS):
            killed = kill("before", point / (COMPACTION_KILLS - 1))
            assert read_registry(site.repository).trunks == before.trunks, killed
            assert _answers(site) == answers, killed
        killed = kill("after", 0.5)
    assert read_registry(site.repository).trunks["trunk"].fused is not None, killed
    assert _answers(site) == answers, killed
    site.publish(site.checkpoint("place", seed=43))  # the next change completes what was killed
    check_tidy(site)


def _answers(site: Site) -> dict[str, tuple[int | None, object]]:
    """What each task answers, and which version does."""
    return {task: (one.version, one.label) for task, one in site.client.predict(TEXTS[0], pair=TEXTS[1]).items()}


@contextmanager
def _killer(site: Site, verb: str, given: str) -> Iterator[Callable[[str, float], str]]:
    """(part, share) -> what the change was about to do when it was killed there; see kill_points."""
    program = [sys.executable, str(HERE / "kill_points.py"), str(site.repository), site.server.grpc_url, verb, given]
    with child_process(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
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
