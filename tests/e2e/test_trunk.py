"""One trunk pass for all tasks, and nothing computed that nobody asked for."""

from ask_triton import ensemble_over_grpc, executions, outputs_computed
from served_suite import Suite

from build_tools.registry import read_registry
from build_tools.serving.server import TritonServer
from clients import Client


def test_one_request_for_all_tasks_runs_the_trunk_once_and_each_branch_once(
    suite: Suite, server: TritonServer, client: Client
) -> None:
    before = executions(server)
    answers = client.predict("wake me at seven", pair="make it half past seven")
    after = executions(server)

    assert set(answers) == set(suite.checkpoints)
    assert after["trunk"] - before["trunk"] == 1
    for task in suite.checkpoints:
        assert after[f"branch_{task}"] - before[f"branch_{task}"] == 1, task


def test_a_request_for_one_task_runs_its_branch_only(server: TritonServer, client: Client) -> None:
    before = executions(server)
    client.predict("wake me at seven", tasks=["intent"])
    after = executions(server)

    ran = {model for model in after if model.startswith(("branch_", "trunk")) and after[model] > before[model]}
    assert ran == {"trunk", "branch_intent"}


def test_the_trunk_stops_at_the_deepest_tap_asked_for(suite: Suite, server: TritonServer, client: Client) -> None:
    registry = read_registry(suite.repository)
    shallow = registry.tasks["emotion"].versions["1"].tap
    deeper = [tap for tap in registry.trunk.taps if tap > shallow]
    assert deeper, "the suite must have a deeper tap for this test to prove anything"
    before = outputs_computed(server)
    client.predict("what a lovely morning", tasks=["emotion"])
    after = outputs_computed(server)

    assert after["trunk", f"hidden_{shallow}"] - before.get(("trunk", f"hidden_{shallow}"), 0) == 1
    for tap in deeper:
        assert after.get(("trunk", f"hidden_{tap}"), 0) == before.get(("trunk", f"hidden_{tap}"), 0), tap


def test_an_ensemble_runs_the_trunk_no_deeper_than_its_task(suite: Suite, server: TritonServer) -> None:
    deepest = max(read_registry(suite.repository).trunk.taps)
    before = outputs_computed(server)
    ensemble_over_grpc(server, "emotion", ["what a lovely morning"])
    after = outputs_computed(server)

    assert after.get(("trunk", f"hidden_{deepest}"), 0) == before.get(("trunk", f"hidden_{deepest}"), 0)
    assert after["branch_emotion", "logits"] - before.get(("branch_emotion", "logits"), 0) == 1
