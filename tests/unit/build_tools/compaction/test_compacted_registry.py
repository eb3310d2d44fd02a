from datetime import UTC, datetime, timedelta

import pytest
from laid_out_repository import two_tasks

from build_tools.compaction.compacted_registry import compacted
from build_tools.repository.in_memory import draining


@pytest.fixture
def registry(make_version, encoder):
    return two_tasks(make_version, encoder.config)


def _compacted(registry, model, served=True):
    return compacted(registry, "trunk", model, [1, 2], {"intent": 3}, 0, served)


def test_each_earlier_graph_stays_for_the_batches_in_flight_and_is_then_forgotten(registry):
    second = _compacted(_compacted(registry, "fused"), "fused.2")
    third = _compacted(second, "fused.3")
    assert draining(second) == {"fused"}
    assert draining(third) == {"fused", "fused.2"}

    long_ago = dict.fromkeys(third.trunks["trunk"].fused_leaving, datetime.now(UTC) - timedelta(seconds=60))
    trunk = third.trunks["trunk"].model_copy(update={"fused_leaving": long_ago})
    fourth = _compacted(third.model_copy(update={"trunks": {"trunk": trunk}}), "fused")
    assert fourth.trunks["trunk"].fused_leaving.keys() == {"fused.3"}
    assert (fourth.trunks["trunk"].fused.version, fourth.trunks["trunk"].fused_made) == (4, 4)


def test_without_a_server_no_batch_asks_for_the_earlier_graph(registry):
    found = _compacted(_compacted(registry, "fused", served=False), "fused.2", served=False)
    assert found.trunks["trunk"].fused_leaving == {}
