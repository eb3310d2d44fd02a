"""intent reads the trunk in fp32; mood as a test says."""

from datetime import UTC, datetime

import pytest

from build_tools.compaction.plan import plan_compaction, share_outside
from build_tools.errors import BuildError
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES
from build_tools.repository.precision import Precision
from build_tools.repository.registry import FusedEntry, Registry, TaskEntry, TrunkEntry


@pytest.fixture
def registry(make_version):
    def make(trunk: Precision = Precision.FP32, **moods: Precision) -> Registry:
        entry = TrunkEntry(
            encoder="tiny", config={}, taps=[1, 2], fingerprints=[], precision=trunk, tokenizers={"tokenizer": 16}
        )
        tasks = {
            "intent": TaskEntry(
                live=2, versions={number: make_version().model_copy(update={"precision": trunk}) for number in "12"}
            )
        }
        for name, precision in moods.items():
            version = make_version(model=f"branch_{name}").model_copy(update={"precision": precision})
            tasks[name] = TaskEntry(live=1, versions={"1": version})
        return Registry(runtime="openvino", trunks={"trunk": entry}, tasks=tasks)

    return make


@pytest.fixture
def repository(tmp_path):
    for version in ("branch_intent/1", "branch_intent/2", "branch_mood/1", "branch_odd/1"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / GOLDEN_EXAMPLES).touch()
    return tmp_path


def test_all_live_versions_go_in(registry, repository):
    plans, outside = plan_compaction(registry(mood=Precision.W8), repository, None)

    assert [(plan.trunk, plan.tasks) for plan in plans] == [("trunk", {"intent": 2, "mood": 1})]
    assert outside == []


def test_what_cannot_be_in_one_graph_with_the_others_stays_outside_and_it_says_why(registry, repository):
    plans, outside = plan_compaction(registry(mood=Precision.INT8, odd=Precision.W8), repository, None)

    assert plans[0].tasks == {"intent": 2, "mood": 1}
    assert outside == ["odd stays outside: its w8 cannot be in one graph with fp32 and int8"]


def test_nothing_to_take_in_is_refused(registry, repository):
    with pytest.raises(BuildError, match="nothing can be compacted: mood stays outside: its bf16 cannot"):
        plan_compaction(registry(mood=Precision.BF16), repository, ["mood"])


def test_a_plan_holds_as_long_as_its_versions_are_live_on_its_trunk(registry, repository):
    before = registry(mood=Precision.FP32)
    ((plan,), _) = plan_compaction(before, repository, None)
    assert plan.still_holds(before)

    after = before.model_copy(deep=True)
    after.tasks["intent"].live = 1
    assert (plan.still_holds(after), plan.live_in(after)) == (False, ["mood"])

    after = before.model_copy(deep=True)
    after.trunks["trunk"].version = 2
    assert (plan.still_holds(after), len(plan.live_in(after))) == (False, 2)


def test_a_graph_that_also_holds_a_retired_task_is_not_what_was_planned(registry, repository):
    after = registry(mood=Precision.FP32)
    ((plan,), _) = plan_compaction(after, repository, None)
    now = datetime.now(UTC)
    for tasks, done in (({"intent": 2, "mood": 1}, True), ({"intent": 2, "mood": 1, "old": 3}, False)):
        after.trunks["trunk"].fused = FusedEntry(model="fused", version=1, taps=[1, 2], tasks=tasks, since=now)
        assert plan.is_done(after) is done
        assert share_outside(after, [plan]) == 0

    after.tasks["intent"].live = 1
    ((plan,), _) = plan_compaction(after, repository, None)
    assert share_outside(after, [plan]) == 0.5


def test_what_can_never_go_in_does_not_count_as_outside(registry, repository):
    before = registry(mood=Precision.BF16)
    plans, _ = plan_compaction(before, repository, None)
    assert share_outside(before, plans) == 1

    before.trunks["trunk"].fused = FusedEntry(
        model="fused", version=1, taps=[1, 2], tasks={"intent": 2}, since=datetime.now(UTC)
    )
    assert (share_outside(before, plans), share_outside(before)) == (0, 0.5)


def test_a_plan_names_what_it_takes_out_of_the_graph(registry, repository):
    before = registry(mood=Precision.FP32, odd=Precision.FP32)
    before.trunks["trunk"].fused = FusedEntry(
        model="fused", version=1, taps=[1, 2], tasks={"intent": 1, "mood": 1, "odd": 1}, since=datetime.now(UTC)
    )
    ((plan,), _) = plan_compaction(before, repository, ["odd"])
    assert plan.dropped(before) == ["mood"]  # another version of intent is live, and runs outside already
