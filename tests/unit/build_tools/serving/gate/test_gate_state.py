"""/state: what a server says of itself, and to whom."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from build_tools.repository.replica_state import Proposed, ReplicaState
from build_tools.serving.gate.exchanges import Exchanges
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.http_side import make_app
from build_tools.serving.gate.keys import KeyAccess
from build_tools.serving.gate.readiness import Readiness
from build_tools.serving.gate.settings import Limits
from build_tools.serving.replica.standing import Standing
from build_tools.serving.self_report import SelfReport
from build_tools.serving.state import ServerState

KEY = "k" * 43
STANDING = Standing(
    generation=7,
    sha256="7" * 64,
    settled=6,
    behind="generation 8: no memory",
    proposal=Proposed(generation=9, sha256="9" * 64, waiting="generation 8 is not adopted here yet"),
)


class Site:
    """The gate and the supervisor of one server, which share files and nothing else."""

    def __init__(self, folder: Path) -> None:
        (folder / "control.key").write_text(KEY)
        (folder / "keys").write_text('{"format_version": 1, "keys": []}')
        self._file = folder / "state.json"
        self._report = SelfReport(self._file, folder, lambda: STANDING, lambda: 10**9)
        door = SimpleNamespace()
        readiness = Readiness(self._file)
        self._gate = Gate(Limits(), folder, readiness, KeyAccess(folder / "keys"), door, door)  # type: ignore[arg-type]
        self._client = TestClient(make_app(self._gate, Exchanges([])))

    def say(self, **state: object) -> None:
        """As the supervisor does."""
        said = ServerState.model_validate({"written_at": time.monotonic() + 1e6, **state})
        said.write(self._file)
        self._report.count()
        self._report.write(said)

    def ask(self, key: str | None = KEY):
        """Returns the gate's answer."""
        self._gate.look()
        return self._client.get("/state", headers={} if key is None else {"espalier-control-key": key})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("key", [None, "", "x" * 43])
def test_only_who_has_the_control_key_reads_it(site: Site, key: str | None) -> None:
    site.say(ready=True)
    answer = site.ask(key)
    assert answer.status_code == 403
    assert "control key" in answer.json()["error"]


def test_it_says_what_the_server_has_adopted_and_what_it_makes_of_a_proposal(site: Site) -> None:
    site.say(ready=True, tasks={"intent": True}, server_restarts=2)
    said = ReplicaState.model_validate_json(site.ask().content)
    assert (said.generation, said.sha256, said.settled) == (7, "7" * 64, 6)
    assert (said.behind, said.proposal) == (STANDING.behind, STANDING.proposal)
    assert (said.ready, said.tasks, said.server_restarts, said.memory_bytes) == (True, {"intent": True}, 2, 10**9)
    assert said.server


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"ready": False, "reason": "trunk: its process has ended"}, "trunk: its process has ended"),
        ({"ready": True, "stopping": True}, "stopping"),
        ({"ready": True, "written_at": -60.0}, "supervisor is silent"),
    ],
)
def test_it_answers_while_no_requests_are_taken_and_says_why(site: Site, state: dict, reason: str) -> None:
    site.say(**state)
    answer = site.ask()
    assert answer.status_code == 200
    said = ReplicaState.model_validate_json(answer.content)
    assert not said.ready
    assert reason in said.reason
    assert said.stopping == state.get("stopping", False)


def test_before_the_supervisor_has_said_anything_it_asks_to_come_again(site: Site) -> None:
    answer = site.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_servers_of_two_releases_understand_each_other(site: Site) -> None:
    site.say(ready=True)
    newer = site.ask().json() | {"colour": "green"}
    assert ReplicaState.model_validate(newer).generation == 7
