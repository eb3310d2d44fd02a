"""One trunk pass for all tasks, and nothing computed that nobody asked for."""

import pytest
from ask_triton import ensemble_over_grpc, executions, outputs_computed, settled_executions
from served_suite import Suite

from build_tools.repository.registry import read_registry
from build_tools.serving.supervisor import Supervisor
from clients import Client

pytestmark = pytest.mark.usefixtures("unprobed")


def test_one_request_for_all_tasks_computes_each_of_the_trunk_s_layers_once_and_each_branch_once(
    suite: Suite, server: Supervisor, client: Client
) -> None:
    registry = read_registry(suite.repository)
    live = {task: entry.versions[str(entry.live)] for task, entry in registry.tasks.items()}
    before, computed = executions(server), outputs_computed(server)
    # Both sequences, the text alone and the pair, are of one length group.
    answers = client.predict("wake me at seven", pair="at nine")
    after, computed_after = settled_executions(server), outputs_computed(server)

    assert set(answers) == set(suite.checkpoints)
    taps = sorted({version.tap for version in live.values()})
    assert after["trunk"] - before["trunk"] == len(taps), "the trunk goes on tap by tap"
    for tap in taps:
        assert computed_after["trunk", f"hidden_{tap}"] - computed.get(("trunk", f"hidden_{tap}"), 0) == 1, tap
    for task in suite.checkpoints:
        assert after[f"branch_{task}"] - before[f"branch_{task}"] == 1, task


def test_a_request_for_one_task_runs_its_branch_only(server: Supervisor, client: Client) -> None:
    before = executions(server)
    client.predict("wake me at seven", tasks=["intent"])
    after = settled_executions(server)

    ran = {model for model in after if model.startswith(("branch_", "trunk")) and after[model] > before[model]}
    assert ran == {"trunk", "branch_intent"}


def test_the_trunk_stops_at_the_deepest_tap_asked_for(suite: Suite, server: Supervisor, client: Client) -> None:
    registry = read_registry(suite.repository)
    shallow = registry.tasks["emotion"].versions["1"].tap
    deeper = [tap for tap in registry.trunks["trunk"].taps if tap > shallow]
    assert deeper, "the suite must have a deeper tap for this test to prove anything"
    before = outputs_computed(server)
    client.predict("what a lovely morning", tasks=["emotion"])
    settled_executions(server)
    after = outputs_computed(server)

    assert after["trunk", f"hidden_{shallow}"] - before.get(("trunk", f"hidden_{shallow}"), 0) == 1
    for tap in deeper:
        assert after.get(("trunk", f"hidden_{tap}"), 0) == before.get(("trunk", f"hidden_{tap}"), 0), tap


def test_an_ensemble_runs_the_trunk_no_deeper_than_its_task(suite: Suite, server: Supervisor) -> None:
    deepest = max(read_registry(suite.repository).trunks["trunk"].taps)
    before, executed = outputs_computed(server), executions(server)
    ensemble_over_grpc(server, "emotion", ["what a lovely morning"])
    executed_after, after = settled_executions(server), outputs_computed(server)

    assert after.get(("trunk", f"hidden_{deepest}"), 0) == before.get(("trunk", f"hidden_{deepest}"), 0)
    assert executed_after["branch_emotion"] - executed["branch_emotion"] == 1
