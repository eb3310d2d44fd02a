"""`espalier tend` beside two real servers."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("pytriton", reason="needs nvidia-pytriton: install the extra 'serving'")

from child_process import child_process

from build_tools.repository.audit import last_withdrawals
from build_tools.repository.registry import read_registry
from build_tools.serving.replica.replica import opened_replica
from build_tools.serving.supervisor import Settings, Supervisor
from build_tools.tending.case import Options
from build_tools.tending.hand_in import hand_in, wait_for
from clients import Client

ROOT = Path(__file__).resolve().parents[4]
SECONDS = 120.0


@pytest.fixture
def servers(repository: Path) -> Iterator[list[Supervisor]]:
    with ExitStack() as stack:
        started = []
        for _ in "12":
            opened = stack.enter_context(opened_replica(repository, 30, print))
            settings = Settings(opened.view.folder, replica=opened)
            started.append(stack.enter_context(Supervisor(settings, print)))
        yield started


def _until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _ask(servers: list[Supervisor], texts: int, begin: int = 0) -> list[int | None]:
    """Asks each server for so many texts, all different. Returns the last version of each."""
    found = []
    for number, server in enumerate(servers):
        with Client(server.grpc_url) as client:
            answers = [client.predict(f"a {begin + number * texts + n}", tasks=["intent"]) for n in range(texts)]
            found.append(answers[-1]["intent"].version)
    return found


def test_it_publishes_what_is_handed_in_and_withdraws_a_canary_by_what_all_servers_saw(
    repository: Path, servers: list[Supervisor], packaged: Callable[..., Path], tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    fleet = ",".join(f"http://{server.http_url}" for server in servers)
    program = "import espalier; espalier.main()"
    verb = ["tend", "--repository", str(repository), "--fleet", fleet, "--inbox", str(inbox)]
    with child_process([sys.executable, "-c", program, *verb], cwd=ROOT, stderr=subprocess.PIPE, text=True) as tend:
        _until(inbox.joinpath("refused").is_dir)
        name = hand_in(packaged("intent", seed=1), inbox, Options())
        assert wait_for(inbox, name, SECONDS).version == 2
        assert _ask(servers, 1) == [2, 2]

        damaged = tmp_path / "damaged.espalier"
        damaged.write_bytes(packaged("intent", seed=1).read_bytes()[:-100])
        assert "is not an artefact" in wait_for(inbox, hand_in(damaged, inbox, Options()), SECONDS).problem

        terms = {"share": 1.0, "minimum": 15, "max_milliseconds": 0.001}
        name = hand_in(packaged("intent", seed=2), inbox, Options.model_validate({"canary": terms}))
        assert wait_for(inbox, name, SECONDS).version == 3
        assert _ask(servers, 7) == [3, 3]  # too few for both of them
        _ask(servers, 5, begin=14)  # still too few for each of them
        _until(lambda: read_registry(repository).tasks["intent"].canary is None)
        line = last_withdrawals(repository).get("intent")
        assert line is not None
        assert (line["by"], line["version"]) == ("tend", 3)
        assert "its calls took" in line["reason"]
        _until(lambda: _ask(servers, 1) == [2, 2])

        tend.send_signal(signal.SIGTERM)
        _, said = tend.communicate(timeout=SECONDS)
    assert tend.returncode == 0
    assert "canary 3 of intent is withdrawn" in said
    assert "is refused" in said
    assert "Traceback" not in said
