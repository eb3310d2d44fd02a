"""intent has version 4 live and 3 before it, mood has version 1; both read tap 2 of the trunk unless said otherwise."""

from datetime import UTC, datetime, timedelta

import pytest

from build_tools.repository.in_memory import (
    batches_in_flight,
    draining,
    held_models,
    held_versions,
    hidden_source,
    idle_models,
)
from build_tools.repository.registry import FusedEntry, Registry, RetiredEntry, TaskEntry, TrunkEntry

HOUR = timedelta(hours=1)


@pytest.fixture
def registry(make_version):
    """(what the fused graph holds, or None; how long ago it was made; the tap of intent's version 4) -> Registry."""

    def make(inside: dict[str, int] | None, ago: timedelta = timedelta(minutes=1), tap: int = 2, **intent) -> Registry:
        fused = inside and FusedEntry(
            model="fused", version=1, taps=[1, 2], tasks=inside, since=datetime.now(UTC) - ago, keep_loaded_seconds=3600
        )
        trunk = TrunkEntry(
            encoder="tiny",
            config={"hidden_size": 16},
            version=2,
            taps=[1, 2, 3],
            fingerprints=[],
            tokenizers={"tokenizer": 16},
            fused=fused,
        )
        versions = {"3": make_version(), "4": make_version(tap=tap), "5": make_version()}
        tasks = {
            "intent": TaskEntry(live=4, earlier=[3], versions=versions, **intent),
            "mood": TaskEntry(live=1, versions={"1": make_version(model="branch_mood")}),
        }
        return Registry(runtime="openvino", trunks={"trunk": trunk}, tasks=tasks)

    return make


def test_without_a_fused_graph_everything_that_is_wanted_is_held(registry):
    assert held_models(registry(None)) == {"trunk": [2], "branch_intent": [3, 4], "branch_mood": [1]}
    assert idle_models(registry(None)) == set()


def test_what_it_computes_is_on_disk_only_and_the_previous_version_is_held_for_the_hour(registry):
    everything = {"intent": 4, "mood": 1}

    assert held_models(registry(everything)) == {"fused": [1], "branch_intent": [3]}
    assert held_models(registry(everything, ago=2 * HOUR)) == {"fused": [1]}
    assert idle_models(registry(everything, ago=2 * HOUR)) == {"trunk", "branch_intent", "branch_mood"}


def test_a_version_published_since_is_held_and_so_is_its_previous_one_unless_that_is_inside(registry):
    assert held_versions(registry({"intent": 3, "mood": 1}, ago=2 * HOUR), "intent") == [4]
    assert held_versions(registry({"intent": 2, "mood": 1}, ago=2 * HOUR), "intent") == [3, 4]


def test_a_candidate_is_held_beside_what_is_inside(registry):
    shadowed = registry({"intent": 4, "mood": 1}, ago=2 * HOUR, shadow=5)

    assert held_models(shadowed) == {"fused": [1], "branch_intent": [5]}


def test_the_trunk_is_held_only_for_a_tap_that_the_fused_graph_lacks(registry):
    outside = {"mood": 1}

    assert "trunk" not in held_models(registry(outside))
    assert hidden_source(registry(outside), "trunk", 2) == "fused"
    assert held_models(registry(outside, tap=3))["trunk"] == [2]
    assert hidden_source(registry(outside, tap=3), "trunk", 3) == "trunk"


def test_nothing_is_unloaded_while_batches_in_flight_may_ask_for_it(registry):
    assert batches_in_flight(registry({"mood": 1}, ago=timedelta(seconds=2)))
    assert not batches_in_flight(registry({"mood": 1}))
    retired = {"old": RetiredEntry(version=1, since=datetime.now(UTC), models=["branch_old"], trunks=["trunk"])}
    assert batches_in_flight(registry(None).model_copy(update={"retired": retired}))


def test_an_earlier_fused_graph_drains(registry):
    now = datetime.now(UTC)
    after = registry({"mood": 1})
    after.trunks["trunk"].fused_leaving = {"fused.2": now - timedelta(seconds=2), "fused.3": now - HOUR}

    assert draining(after) == {"fused.2"}


def test_a_previous_version_may_stay_loaded_for_longer_than_a_date_can_go_back(registry):
    for_ever = registry({"intent": 4}, ago=2 * HOUR)
    for_ever.trunks["trunk"].fused.keep_loaded_seconds = 10**12
    assert held_versions(for_ever, "intent") == [3]
