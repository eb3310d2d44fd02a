"""A fleet that is changed while it serves: no request fails, no answer is wrong, and all servers end at one generation.

Each drill prints what it saw (pytest -s).
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from balancer import HAPROXY
from drill_size import drill_size
from expected_answers import check_expected
from fleet_site import FleetSite, check_broken
from publishing_site import check_answers

from build_tools.publishing.verify import verify
from build_tools.repository.registry import read_registry
from training.kinds import Kind

pytestmark = [
    pytest.mark.alone,  # three servers are more than two cores' work already
    pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy"),
]

PUBLISHES = drill_size(2, 20)
ROLLBACKS = drill_size(1, 5)
RESTARTED = drill_size(1, 3)
SERVERS = 3
CHANGED = {"intent", "topics", "same"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetSite]:
    """Three servers run, and there is a place for a fourth."""
    site = FleetSite(tmp_path_factory.mktemp("fleet"), SERVERS + 1)
    with site.run(SERVERS):
        yield site


def test_all_changes_restarts_and_a_kill_harm_nobody(fleet: FleetSite, tmp_path: Path) -> None:
    # Each version has labels of its own, so that an answer shows which version's labels and logits it is made of.
    versions = [
        fleet.artefact("intent", labels=[f"{label}{number}" for label in "abc"], seed=number)
        for number in range(1, PUBLISHES + 1)
    ]
    topics = fleet.artefact("topics", kind=Kind.MULTI_LABEL, labels=("x", "y"))
    canary, last = fleet.artefact("same", seed=1), fleet.artefact("same", seed=2)
    with fleet.load(tmp_path) as load:
        for number, artefact in enumerate(versions, 1):
            fleet.publish(artefact, "--redefine")
            if number % (PUBLISHES // ROLLBACKS) == 0:
                fleet.verb("rollback", "intent")
        fleet.publish(topics)
        fleet.publish(canary, "--canary", "50%")
        fleet.verb("rollback", "same")
        fleet.verb("retire", "topics")

        kills = [_kill_one_and_start_another_in_a_publish(fleet, last)]
        for one in fleet.running[:RESTARTED]:
            one.stop()
            one.start()
            one.wait_until_ready()
        fleet.verb("compact")
        took = fleet.wait_until_they_agree()
        seen = load()

    print(f"\n{seen['requests']} requests, {len(seen['broken'])} asked again; one generation after {took:.1f} s")
    assert seen["failures"] == []
    check_broken(seen, kills)
    check_answers(seen, changed=CHANGED)
    assert check_expected(seen, fleet.expected) > 10 * PUBLISHES
    assert {entry["version"] for entry in seen["answers"] if entry["task"] == "intent"} == {*range(1, PUBLISHES + 2)}
    assert verify(fleet.repository) == []
    assert set(read_registry(fleet.repository).tasks) == {"intent", "mood", "place", "same", "slots"}


def _kill_one_and_start_another_in_a_publish(fleet: FleetSite, artefact: Path) -> float:
    """Returns when it was killed (time.time()). The one that is killed comes back afterwards."""
    victim, new = fleet.running[0], fleet.replicas[-1]
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
