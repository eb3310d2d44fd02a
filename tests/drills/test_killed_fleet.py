"""Whatever of a fleet is killed: its servers are at one generation afterwards, and the next command mends the rest."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from balancer import HAPROXY
from child_process import child_process
from drill_size import drill_size
from fleet_site import VERB_SECONDS, FleetSite
from publishing_site import HERE
from sentences import TEXTS

from build_tools.publishing.verify import verify
from build_tools.repository.proposal import PROPOSAL
from build_tools.repository.registry import read_registry
from clients import Client

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy"),
]

SERVERS = drill_size(2, 3)
SHARES = drill_size((0.4,), (0.0, 0.25, 0.5, 0.75))  # of the changes of files before a commit


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetSite]:
    site = FleetSite(tmp_path_factory.mktemp("fleet"), SERVERS)
    with site.run(SERVERS):
        yield site


def test_a_publish_that_is_killed_anywhere_leaves_one_generation_and_the_next_mends_the_rest(fleet: FleetSite) -> None:
    counted = _killed(fleet, "count", "publish", fleet.artefact("intent", seed=1))
    found = re.search(r"changed (\d+) files before the commit, (\d+) after it", counted)
    assert found is not None, counted
    points = [str(1 + int(share * (int(found[1]) - 1))) for share in SHARES]
    for number, point in enumerate([*points, "proposed", "commit", "committed"]):
        artefact = fleet.artefact("intent", seed=2 + number)
        before = read_registry(fleet.repository)
        death = _killed(fleet, point, "publish", artefact)
        assert "killed at" in death, death
        after = read_registry(fleet.repository)
        assert after.generation == before.generation + (point == "committed"), death
        _all_answer_as_the_registry_says(fleet)
        fleet.publish(artefact)
        fleet.wait_until_they_agree()
        _is_tidy(fleet)


@pytest.mark.parametrize("moment", drill_size(("proposed",), ("proposed", "committed", "starting")))
def test_a_server_that_is_killed_comes_back_to_what_the_others_have(fleet: FleetSite, moment: str) -> None:
    for victim in fleet.replicas:
        artefact = fleet.artefact("place", seed=hash((victim.name, moment)) % 1000)
        if moment == "starting":
            victim.stop()
            victim.start()
            time.sleep(2.0)
            victim.kill()
        others = str(SERVERS - 1)
        with fleet.publishing(artefact, "--require", others, "--patience", "60") as end:
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


def _killed(fleet: FleetSite, point: str, *verb: str | Path) -> str:
    """What a verb said that was killed at a point of killed_verb.py."""
    program = [sys.executable, str(HERE / "killed_verb.py"), point, str(fleet.repository.parent)]
    command = [*program, *map(str, verb), *fleet.place]
    with child_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said, _ = process.communicate(timeout=VERB_SECONDS)
        assert process.returncode == (0 if point == "count" else -signal.SIGKILL), said
        return said


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
