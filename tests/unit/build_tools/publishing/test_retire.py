import json

import pytest

from build_tools.errors import BuildError
from build_tools.publishing import leaving
from build_tools.publishing.retire import retire
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.verify import verify
from build_tools.repository import registry as registry_module
from build_tools.repository.names import examples_file
from build_tools.repository.registry import read_registry


@pytest.fixture
def drained(monkeypatch):
    """What is done while requests in flight have their time; afterwards that is over."""
    meanwhile = []

    def sleep(seconds):
        assert seconds == registry_module.DRAIN_SECONDS
        for one in meanwhile:
            one()
        monkeypatch.setattr(registry_module, "DRAIN_SECONDS", 0.0)

    monkeypatch.setattr(leaving.time, "sleep", sleep)
    return meanwhile


def test_the_task_is_out_of_the_registry_at_once_and_out_of_memory_when_nothing_is_in_flight(
    repository, triton, drained
):
    (repository / examples_file("mood")).write_text("{}")
    server = triton(repository)
    ready = server.ready_versions()

    def look():
        assert "mood" not in read_registry(repository).tasks
        with ServedRepository.locked(repository, server, pytest.fail) as served:  # another team's change does not wait
            settle(served)
        assert server.ready_versions() == ready

    drained.append(look)
    retire("mood", repository, server)

    assert server.ready_versions() == {model: ready[model] for model in ready if model not in ("mood", "branch_mood")}
    assert not {"mood", "branch_mood", examples_file("mood")} & {path.name for path in repository.iterdir()}
    registry = read_registry(repository)
    assert (list(registry.tasks), registry.retired["mood"].version) == (["intent"], 1)
    assert verify(repository) == []
    line = json.loads((repository / "audit.jsonl").read_text())
    assert (line["action"], line["task"], line["version"]) == ("retire", "mood", 1)


def test_where_no_server_runs_nobody_waits(repository, monkeypatch):
    monkeypatch.setattr(leaving.time, "sleep", pytest.fail)

    retire("mood", repository, NoServer())

    assert not (repository / "branch_mood").exists()


def test_a_task_that_is_not_here_is_told_and_nothing_changes(repository, registry):
    with pytest.raises(BuildError, match="the task topic is not here"):
        retire("topic", repository, NoServer())

    assert read_registry(repository) == registry
    assert not (repository / "audit.jsonl").exists()
