from build_tools.serving.watch.needed_models import needed_by_all, needed_for, needed_models

ROUTERS = {"nlu", "nlu_stream"}


def test_before_a_registry_is_read_only_the_routers_are_needed():
    assert needed_by_all(None) == needed_models(None) == ROUTERS


def test_without_a_fused_graph_each_task_needs_the_trunk_and_its_own_branch(watched):
    assert needed_by_all(watched) == ROUTERS | {"trunk"}
    assert needed_models(watched) == ROUTERS | {"trunk", "branch_intent", "branch_mood"}
    assert needed_for(watched, "mood") == {"trunk": None, "branch_mood": 1}


def test_with_a_fused_graph_nobody_needs_the_trunk_nor_the_branches_that_are_in_it(compacted):
    assert needed_by_all(compacted) == ROUTERS | {"fused"}
    assert needed_for(compacted, "intent") == {"fused": 3}
    assert needed_for(compacted, "mood") == {"fused": None, "branch_mood": 2}
    assert needed_models(compacted) == ROUTERS | {"fused", "branch_mood"}


def test_a_tap_that_the_fused_graph_lacks_needs_the_trunk_for_its_task_alone(compacted):
    mood = compacted.tasks["mood"]
    mood.versions["2"] = mood.versions["2"].model_copy(update={"tap": 3})

    assert needed_for(compacted, "mood") == {"trunk": None, "branch_mood": 2}
    assert needed_by_all(compacted) == ROUTERS | {"fused"}
