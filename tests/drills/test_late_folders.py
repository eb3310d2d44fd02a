"""Servers that see the repository's changes late, each file at another time, as over NFS."""

from pathlib import Path

import pytest
from balancer import HAPROXY
from drill_size import drill_size
from expected_answers import check_expected
from fleet_site import FleetSite, check_broken
from late_folders import ORDERS, signs
from publishing_site import check_answers

from build_tools.publishing.verify import verify
from training.kinds import Kind

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy"),
]

SERVERS = drill_size(2, 3)
IS_WHOLE = drill_size(False, True)
ROUNDS = drill_size(1, 4)
MOST_SECONDS = drill_size(2.0, 6.0)


@pytest.mark.parametrize("order", drill_size(("random",), ORDERS))
def test_a_server_never_asks_for_what_it_does_not_see_yet(tmp_path: Path, order: str) -> None:
    fleet = FleetSite(tmp_path, SERVERS, late=True)
    versions = [
        fleet.artefact("intent", labels=[f"{label}{number}" for label in "abc"], seed=number)
        for number in range(1, ROUNDS + 1)
    ]
    topics = fleet.artefact("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")) if IS_WHOLE else None
    same = fleet.artefact("same", seed=1)
    with (
        fleet.shown_late(seed=1, most_seconds=MOST_SECONDS, order=order),
        fleet.run(SERVERS),
        fleet.load(tmp_path) as load,
    ):
        for artefact in versions:
            fleet.publish(artefact, "--redefine")
            fleet.verb("rollback", "intent")
        _restart_in_a_publish(fleet, same)
        if topics is not None:
            fleet.publish(topics)
            fleet.verb("retire", "topics")
            fleet.verb("compact")
        took = fleet.wait_until_they_agree()
        seen = load()
        fleet.wait_for(lambda: _are_the_same(fleet))

    print(f"\n{order}: {seen['requests']} requests, {len(seen['broken'])} asked again; at one after {took:.1f} s")
    assert seen["failures"] == []
    check_broken(seen, kills=[])
    check_answers(seen, changed={"intent", "topics", "same"})
    assert check_expected(seen, fleet.expected)
    assert verify(fleet.repository) == []


def _restart_in_a_publish(fleet: FleetSite, artefact: Path) -> None:
    one = fleet.running[0]
    with fleet.publishing(artefact, "--require", str(SERVERS - 1)) as end:
        fleet.wait_until_proposed()
        one.stop()
        one.start()
        end()
    one.wait_until_ready()


def _are_the_same(fleet: FleetSite) -> bool:
    """Whether each copy holds what the repository holds, and nothing that a server has written there."""
    files = signs(fleet.repository)
    return all(
        signs(copy).keys() == files.keys()
        and all((copy / name).read_bytes() == (fleet.repository / name).read_bytes() for name in files)
        for copy in fleet.copies
    )
