"""Which versions must show their golden examples before a generation is adopted."""

from datetime import UTC, datetime

import pytest

from build_tools.repository.registry import CanaryEntry, FusedEntry
from build_tools.serving.replica.proofs import Proof, proofs

LOADED = {"trunk": [1], "branch_intent": [2, 3], "branch_mood": [1]}


def _with_task(registry, task, **changes):
    entry = registry.tasks[task].model_copy(update=changes)
    return registry.model_copy(update={"tasks": registry.tasks | {task: entry}})


def _with_trunk(registry, **changes):
    trunk = registry.trunks["trunk"].model_copy(update=changes)
    return registry.model_copy(update={"trunks": {"trunk": trunk}})


def test_a_new_version_is_asked_all_and_the_others_nothing(registry, following):
    assert list(proofs(registry, following(registry), LOADED)) == [Proof("intent", 4, 32)]


def test_a_version_that_is_loaded_already_is_asked_a_few(registry):
    back = _with_task(registry, "intent", live=2, earlier=[1])
    assert list(proofs(registry, back, LOADED)) == [Proof("intent", 2, 4)]


def test_a_canary_is_asked_when_it_comes_and_again_when_it_goes_live(registry):
    trial = _with_task(registry, "intent", canary=CanaryEntry(version=1, share=0.1))
    assert list(proofs(registry, trial, LOADED)) == [Proof("intent", 1, 32)]
    live = _with_task(registry, "intent", live=1, earlier=[2, 3])
    assert list(proofs(trial, live, LOADED | {"branch_intent": [1, 2, 3]})) == [Proof("intent", 1, 4)]


def test_an_end_of_a_canary_or_a_task_proves_nothing(registry):
    trial = _with_task(registry, "intent", canary=CanaryEntry(version=1, share=0.1))
    assert list(proofs(trial, registry, LOADED)) == []
    fewer = registry.model_copy(update={"tasks": {"intent": registry.tasks["intent"]}})
    assert list(proofs(registry, fewer, LOADED)) == []


def test_all_tasks_of_a_trunk_are_asked_when_the_trunk_is_another(registry):
    deeper = _with_trunk(registry, version=2)
    assert set(proofs(registry, deeper, LOADED)) == {Proof("intent", 3, 4), Proof("mood", 1, 4)}


@pytest.mark.parametrize(("loaded", "rows"), [(LOADED, 32), (LOADED | {"fused": [1]}, 4)])
def test_what_a_compaction_folds_is_asked_of_the_new_graph(registry, loaded, rows):
    fused = FusedEntry(model="fused", version=1, taps=[1, 2], tasks={"intent": 3}, since=datetime.now(UTC))
    after = _with_trunk(registry, fused=fused)
    # mood runs by itself, on hidden states that the graph now gives out
    assert set(proofs(registry, after, loaded)) == {Proof("intent", 3, rows), Proof("mood", 1, 4)}
