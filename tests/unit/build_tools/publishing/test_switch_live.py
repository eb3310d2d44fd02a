"""Rollback and promotion, which both switch to a version that is there."""

import json

import pytest

from build_tools.errors import BuildError
from build_tools.publishing.promote import promote
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.repository.audit import AUDIT_LOG
from build_tools.repository.registry import TaskEntry, read_registry, write_registry
from build_tools.repository.triton_config import read_config, with_versions, write_config


def _configured(repository, model="branch_intent"):
    return list(read_config(repository / model).version_policy.specific.versions)


@pytest.fixture
def live_at(monkeypatch):
    """Which version of intent was live when a server was told to load which model."""

    def live_at(server, repository):
        told, load = [], server.load

        def note_and_load(model):
            told.append((model, read_registry(repository).tasks["intent"].live))
            load(model)

        monkeypatch.setattr(server, "load", note_and_load)
        return told

    return live_at


def test_the_previous_version_is_live_again_before_anything_is_loaded(repository, triton, live_at):
    server = triton(repository)
    told = live_at(server, repository)

    assert rollback("intent", repository, server) == (3, 2)

    entry = read_registry(repository).tasks["intent"]
    assert (entry.live, entry.earlier) == (2, [1])
    assert told == [("intent", 2), ("branch_intent", 2)]  # its ensemble, and the next previous version
    assert server.anew == [("intent", 1), ("branch_intent", 1)]
    assert server.ready_versions()["branch_intent"] == [1, 2, 3]  # batches in flight may still ask for 3
    assert entry.held == [1, 2, 3]


def test_each_rollback_goes_back_another_version(repository, triton):
    server = triton(repository)
    rollback("intent", repository, server)

    assert rollback("intent", repository, server) == (2, 1)

    assert 1 in server.ready_versions()["branch_intent"]
    assert read_config(repository / "intent").ensemble_scheduling.step[2].model_version == 1


def test_a_version_that_the_server_has_not_loaded_is_loaded_before_it_is_live(repository, triton, live_at):
    server = triton(repository)
    server.unload("branch_intent")
    told = live_at(server, repository)

    rollback("intent", repository, server)

    assert told[0] == ("branch_intent", 3)
    assert 2 in server.ready_versions()["branch_intent"]


def test_without_a_server_the_next_one_loads_what_is_live(repository, triton):
    for live in (2, 1):
        assert rollback("intent", repository, NoServer())[1] == live
        assert live in _configured(repository)
        assert live in triton(repository).ready_versions()["branch_intent"]


def test_a_version_that_is_live_again_is_in_the_config_too_though_it_was_about_to_be_unloaded(repository, triton):
    config = read_config(repository / "branch_intent")
    write_config(repository / "branch_intent", with_versions(config, [1, 2, 3]))
    server = triton(repository)
    write_config(repository / "branch_intent", config)  # 2 and 3, and here a change was killed before the load

    for live in (2, 1):
        assert rollback("intent", repository, server)[1] == live
        assert live in _configured(repository)


def test_rolling_back_to_another_model_turns_the_ensemble_to_it(repository, registry, make_version, lay_out, triton):
    versions = registry.tasks["intent"].versions | {"4": make_version(model="branch_intent.2", labels=["a", "b", "c"])}
    entry = TaskEntry(live=4, earlier=[2, 3], newest=4, versions=versions)
    lay_out(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}}))
    server = triton(repository)

    assert rollback("intent", repository, server) == (4, 3)

    config = server.config("intent")
    assert [(step.model_name, step.model_version) for step in config.ensemble_scheduling.step][2] == (
        "branch_intent",
        3,
    )
    assert list(config.output[0].dims) == [-1, 2]
    assert server.ready_versions()["branch_intent"] == [2, 3]
    assert server.ready_versions()["branch_intent.2"] == [4]


def test_a_candidate_is_rolled_back_without_a_load_and_promoted_with_one_of_the_ensemble(
    repository, registry, lay_out, triton
):
    entry = registry.tasks["intent"].model_copy(update={"live": 2, "earlier": [1], "shadow": 3})
    lay_out(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}}))
    server = triton(repository)

    assert promote("intent", repository, server) == 3
    assert (server.anew, server.ready_versions()["branch_intent"]) == ([("intent", 1)], [1, 2, 3])

    lay_out(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}}))
    server = triton(repository)
    assert rollback("intent", repository, server) == (3, 2)
    assert server.calls == []


def test_who_meant_a_canary_that_a_router_has_just_withdrawn_does_not_take_back_the_live_version(repository, triton):
    line = {"by": "router", "task": "intent", "action": "withdraw", "version": 4, "reason": "slow", "at": "now"}
    (repository / AUDIT_LOG).write_text(json.dumps(line) + "\n")
    server = triton(repository)

    with pytest.raises(
        BuildError, match=r"a router withdrew canary 4 of intent at now, and version 3 is live: .* add --live"
    ):
        rollback("intent", repository, server)

    assert read_registry(repository).tasks["intent"].live == 3
    assert rollback("intent", repository, server, also_after_withdrawal=True) == (3, 2)
    assert rollback("intent", repository, server) == (2, 1)  # somebody has decided since


def test_what_was_rolled_back_is_unloaded_by_a_later_change(repository, triton):
    server = triton(repository)
    rollback("intent", repository, server)
    registry = read_registry(repository)
    follow_registry(ServedRepository(repository, server))
    assert server.ready_versions()["branch_intent"] == [1, 2, 3]
    drained = registry.tasks["intent"].model_copy(update={"leaving": {}})

    write_registry(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": drained}}))
    follow_registry(ServedRepository(repository, server))

    assert server.ready_versions()["branch_intent"] == [1, 2]
