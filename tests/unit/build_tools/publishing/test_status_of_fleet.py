import io
import json

import pytest
from rich.console import Console
from stand_in_fleet import StandIn, answering
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.fleet.addresses import fleet_addresses
from build_tools.fleet.replicas import Replicas
from build_tools.publishing.status_of_fleet import watch_fleet
from build_tools.repository.control_key import ensure_control_key
from build_tools.repository.proposal import write_proposal
from build_tools.repository.registry import CanaryEntry, Registry, write_registry


@pytest.fixture
def canary(repository, registry):
    """The repository with version 3 of intent as a canary beside version 2, and a key."""
    entry = registry.tasks["intent"].model_copy(update={"live": 2, "earlier": [1]})
    entry = entry.model_copy(update={"canary": CanaryEntry(version=3, share=0.1)})
    changed = registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}})
    write_registry(repository, Registry.model_validate(changed.model_dump()))
    ensure_control_key(repository)
    return repository


def _stand_in(repository, name):
    return StandIn(repository, name, says={"requests": 5, "counts": {"intent": {3: {"answers": 20, "errors": 1}}}})


def _run(*arguments):
    result = CliRunner().invoke(app, ["status", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_program_gets_the_servers_their_sums_and_the_tasks(canary, registry):
    write_proposal(canary, registry.model_copy(update={"generation": 2}))
    with answering(_stand_in(canary, "a")) as first, answering(_stand_in(canary, "b")) as second:
        found = json.loads(_run("--repository", canary, "--fleet", f"{first},{second}", "--json"))

    assert [one["server"] for one in found["replicas"]] == ["a", "b"]
    assert (found["generation"], found["proposed"], found["at_generation"], found["requests"]) == (1, 2, 2, 10)
    (intent,) = (task for task in found["tasks"] if task["task"] == "intent")
    assert (intent["candidate"]["answers"], intent["candidate"]["errors"]) == (40, 2)


def test_a_reader_gets_two_tables_and_a_server_that_is_gone_is_no_error(canary):
    with answering(_stand_in(canary, "a")) as url:
        shown = _run("--repository", canary, "--fleet", f"{url},127.0.0.1:1")

    assert "unreachable" in shown
    assert "intent: canary 3 has answered 20 texts and failed for 1" in shown


def test_a_watch_goes_on_while_the_folder_is_away(canary, registry):
    out = io.StringIO()
    key = (canary / "control.key").read_text().strip()
    shown = []

    def pause(_):
        shown.append(out.getvalue())
        if len(shown) == 2:
            raise KeyboardInterrupt
        write_registry(canary, registry)

    (canary / "registry.json").unlink()
    with answering(StandIn(canary, body="{}")) as url, Replicas(fleet_addresses(url), key) as replicas:
        watch_fleet(canary, replicas, 1.5, Console(file=out, width=200, force_terminal=True), pause)

    assert "holds no registry.json" in shown[0]
    assert "intent" in shown[1]


def test_it_can_be_watched_and_sees_who_comes_back(canary):
    server = _stand_in(canary, "a")
    server.away = 1
    out = io.StringIO()
    key = (canary / "control.key").read_text().strip()
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    with answering(server) as url, Replicas(fleet_addresses(url), key) as replicas:
        watch_fleet(canary, replicas, 1.5, Console(file=out, width=200), pause)

    assert pauses == [1.5, 1.5]
    assert "1 ready" in out.getvalue()  # a file gets the last screen
