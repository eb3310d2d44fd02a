from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import (
    check_no_candidate,
    leaving_from,
    next_version,
    promoted,
    published,
    retired,
    rolled_back,
    task_entry,
    tidied,
)
from build_tools.repository.registry import CanaryTerms, FusedEntry

TERMS = CanaryTerms(share=0.1, max_error_rate=0.02, max_milliseconds=50.0, minimum=20)
LABELS = {"model": "branch_intent.2", "labels": ["a", "b", "c"]}


@pytest.fixture
def publish(make_version):
    """A publish of the next version, with no server running; what is given replaces the defaults."""

    def publish(registry, task="intent", canary=None, shadow=False, keep=5, now=None, trunk="trunk", **given):
        version = make_version(**{"model": f"branch_{task}", "task": task} | given)
        version = version.model_copy(update={"trunk": trunk})
        entry = registry.trunks.get(trunk, registry.trunks["trunk"])
        number = next_version(registry, task)
        return published(registry, task, number, version, entry, canary, shadow, keep, now)

    return publish


@pytest.fixture
def with_candidate(registry, publish):
    """With version 4 of intent a candidate."""
    return {"canary": publish(registry, canary=TERMS), "shadow": publish(registry, shadow=True)}


def _with(registry, **changes):
    entry = registry.tasks["intent"].model_copy(update=changes)
    return registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}})


def _seconds_ago(seconds):
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_a_number_is_never_given_twice_though_its_version_was_rolled_back_or_its_task_retired(registry, publish):
    assert next_version(registry, "intent") == 4
    assert next_version(rolled_back(registry, "intent", None), "intent") == 4
    assert next_version(registry, "topic") == 1
    gone = retired(rolled_back(registry, "intent", None), "intent", None)
    assert gone.retired["intent"].version == 3
    assert next_version(gone, "intent") == 4
    assert retired(publish(gone), "intent", None).retired["intent"].version == 4


@pytest.mark.parametrize("candidate", [{}, {"canary": TERMS}, {"shadow": True}])
def test_a_number_is_not_given_again_when_its_version_had_a_model_of_its_own_and_was_rolled_back(
    registry, publish, candidate
):
    back = tidied(rolled_back(publish(registry, **candidate, **LABELS), "intent", None))

    assert sorted(back.tasks["intent"].versions) == ["1", "2", "3"]
    assert next_version(back, "intent") == 5
    assert retired(back, "intent", None).retired["intent"].version == 4


def test_a_published_version_is_live_and_the_one_before_is_the_previous(registry, publish):
    before = registry.model_dump()

    after = publish(registry, labels=["c", "d"])

    entry = after.tasks["intent"]
    assert (entry.live, entry.previous, entry.earlier, entry.candidate) == (4, 3, [1, 2, 3], None)
    assert entry.live_version.labels == ["c", "d"]
    assert after.tasks["mood"] == registry.tasks["mood"]
    assert registry.model_dump() == before  # what was read is not changed


def test_a_canary_gets_its_terms_and_the_live_version_stays(with_candidate):
    entry = with_candidate["canary"].tasks["intent"]

    assert (entry.live, entry.earlier, entry.shadow, entry.wanted) == (3, [1, 2], None, [2, 3, 4])
    assert entry.canary.model_dump() == TERMS.model_dump() | {"version": 4}


def test_a_shadow_is_no_canary_and_the_live_version_stays(with_candidate):
    entry = with_candidate["shadow"].tasks["intent"]

    assert (entry.live, entry.earlier, entry.canary, entry.shadow) == (3, [1, 2], None, 4)


def test_the_first_version_of_a_new_task_is_live(registry, publish):
    entry = publish(registry, "topic", now=datetime.now(UTC)).tasks["topic"]

    assert (entry.live, entry.earlier, list(entry.versions), entry.leaving) == (1, [], ["1"], {})


@pytest.mark.parametrize("candidate", [{"canary": TERMS}, {"shadow": True}])
def test_a_new_task_has_nothing_to_be_tried_beside(registry, publish, candidate):
    with pytest.raises(BuildError, match="topic is a new task, with no live version to try this one beside"):
        publish(registry, "topic", **candidate)


@pytest.mark.parametrize("kind", ["canary", "shadow"])
@pytest.mark.parametrize("candidate", [{}, {"canary": TERMS}, {"shadow": True}])
def test_nothing_is_published_over_a_candidate_but_other_tasks_are(with_candidate, publish, kind, candidate):
    with pytest.raises(
        BuildError, match="version 4 of intent is a candidate: run espalier promote intent or espalier r"
    ):
        publish(with_candidate[kind], **candidate)

    assert publish(with_candidate[kind], "mood", **candidate).tasks["intent"] == with_candidate[kind].tasks["intent"]


def test_a_candidate_is_what_check_no_candidate_looks_for(registry, with_candidate):
    check_no_candidate(registry, "intent")
    check_no_candidate(registry, "topic")
    check_no_candidate(with_candidate["canary"], "mood")
    with pytest.raises(BuildError, match="version 4 of intent is a candidate"):
        check_no_candidate(with_candidate["shadow"], "intent")


@pytest.mark.parametrize(
    ("live", "earlier", "keep", "kept", "then_earlier"),
    [
        (3, [1, 2], 5, "1234", [1, 2, 3]),
        (3, [1, 2], 3, "234", [2, 3]),
        (1, [], 3, "134", [1]),  # 2 and 3 were rolled back: the newest of them stays
        (3, [2, 1], 3, "234", [2, 3]),
        (2, [1], 1, "24", [2]),  # what is wanted always stays
    ],
)
def test_the_newest_versions_stay_beside_those_that_are_wanted(
    registry, publish, live, earlier, keep, kept, then_earlier
):
    entry = publish(_with(registry, live=live, earlier=earlier), keep=keep).tasks["intent"]

    assert sorted(entry.versions) == list(kept)
    assert (entry.live, entry.earlier) == (4, then_earlier)


@pytest.mark.parametrize("candidate", [{"canary": TERMS}, {"shadow": True}])
def test_a_candidate_counts_among_the_versions_that_stay(registry, publish, candidate):
    entry = publish(registry, keep=3, **candidate).tasks["intent"]

    assert sorted(entry.versions) == ["2", "3", "4"]
    assert (entry.live, entry.earlier) == (3, [2])


def test_what_batches_in_flight_may_still_ask_for_stays_for_so_long(registry, publish):
    now = datetime.now(UTC)

    entry = publish(registry, keep=1, now=now).tasks["intent"]

    assert entry.leaving == {"2": now}  # it was the previous version, and is not any more
    assert (entry.wanted, entry.held, sorted(entry.versions)) == ([3, 4], [2, 3, 4], ["2", "3", "4"])
    later = _with(registry, leaving={"1": _seconds_ago(11), "2": _seconds_ago(9)}, earlier=[])
    assert later.tasks["intent"].held == [2, 3]
    assert sorted(publish(later, keep=1, now=now).tasks["intent"].versions) == ["2", "3", "4"]


def test_without_a_server_nothing_is_in_flight(registry, publish):
    with_candidate = publish(registry, shadow=True)
    for change in (publish(registry), rolled_back(registry, "intent", None), promoted(with_candidate, "intent", None)):
        assert change.tasks["intent"].leaving == {}
        assert change.tasks["intent"].held == change.tasks["intent"].wanted


def test_what_a_rollback_and_a_promotion_take_out_of_use_is_held_for_batches_in_flight(registry, with_candidate):
    now = datetime.now(UTC)

    assert rolled_back(registry, "intent", now).tasks["intent"].leaving == {"3": now}
    assert rolled_back(with_candidate["canary"], "intent", now).tasks["intent"].leaving == {"4": now}
    entry = promoted(with_candidate["shadow"], "intent", now).tasks["intent"]
    assert (entry.leaving, entry.held) == ({"2": now}, [2, 3, 4])


def test_what_a_change_takes_away_leaves_when_the_change_is_in_force_and_what_left_before_does_not_leave_again(
    registry, publish
):
    began, now, long_ago = _seconds_ago(30), datetime.now(UTC), _seconds_ago(60)
    before = _fused(_with(registry, leaving={"1": long_ago}), "fused", long_ago, {"fused.3": long_ago})
    after = _with(publish(before, now=began), leaving={"1": long_ago, "2": began})
    after = _fused(after, "fused.2", began, {"fused.3": long_ago, "fused": began})
    after = retired(after, "mood", began)

    found = leaving_from(before, after, now)

    second = now.replace(microsecond=0)
    assert found.tasks["intent"].leaving == {"1": long_ago, "2": now}
    assert found.retired["mood"].since == now
    trunk = found.trunks["trunk"]
    assert (trunk.fused.since, trunk.fused_leaving) == (second, {"fused.3": long_ago, "fused": second})
    assert leaving_from(found, found, _seconds_ago(-60)) == found
    new_task = publish(registry, "topic")
    assert leaving_from(registry, new_task, now) == new_task


def _fused(registry, model, since, leaving):
    fused = FusedEntry(model=model, version=1, taps=[1, 2], tasks={"intent": 3}, since=since)
    trunk = registry.trunks["trunk"].model_copy(update={"fused": fused, "fused_leaving": leaving})
    return registry.model_copy(update={"trunks": {"trunk": trunk}})


def test_what_has_left_long_ago_is_not_written_down_for_ever(registry, publish):
    now = datetime.now(UTC)
    before = _with(registry, leaving={"1": _seconds_ago(60)})

    assert publish(before, now=now).tasks["intent"].leaving == {"2": now}


def test_versions_in_a_model_that_holds_none_go_with_the_next_change_since_triton_would_not_start_with_it(
    registry, publish
):
    first = publish(registry, **LABELS)
    assert tidied(first) == first
    second = publish(first, **LABELS)
    assert "1" in second.tasks["intent"].versions

    entry = tidied(second).tasks["intent"]

    assert sorted(entry.versions) == ["4", "5"]
    assert (entry.live, entry.earlier) == (5, [4])


def test_a_model_stays_while_batches_in_flight_may_ask_for_a_version_in_it(registry, publish):
    now = datetime.now(UTC)
    second = publish(publish(registry, now=now, **LABELS), now=now, **LABELS)

    assert sorted(tidied(second).tasks["intent"].versions) == ["1", "2", "3", "4", "5"]


def test_a_trunk_stays_as_long_as_a_version_on_disk_reads_it(registry, publish):
    alone = tidied(retired(registry, "intent", None))
    moved = publish(alone, "mood", trunk="trunk.2", model="branch_mood.2")
    assert (sorted(tidied(moved).trunks), moved.trunks_made) == (["trunk", "trunk.2"], 2)

    settled = publish(moved, "mood", trunk="trunk.2", model="branch_mood.2", keep=2)

    assert sorted(tidied(settled).trunks) == ["trunk.2"]
    assert settled.trunks_made == 2


def test_a_registry_in_order_is_tidy(registry, with_candidate):
    for one in (registry, *with_candidate.values()):
        assert tidied(one) == one


def test_the_trunk_that_the_version_reads_is_as_it_is_given(registry, make_version):
    deeper = registry.trunks["trunk"].model_copy(update={"version": 2, "taps": [1, 2, 3]})

    after = published(registry, "intent", 4, make_version(), deeper, None, False, 5, None)

    assert (after.trunks, after.trunks_made) == ({"trunk": deeper}, 1)
    assert registry.trunks["trunk"].version == 1


def test_a_registry_that_contradicts_itself_is_not_handed_on(registry, make_version):
    with pytest.raises(ValidationError, match="version 3 is live and a candidate at once"):
        published(registry, "intent", 3, make_version(), registry.trunks["trunk"], None, True, 5, None)


@pytest.mark.parametrize("kind", ["canary", "shadow"])
def test_what_is_promoted_is_live_and_can_be_rolled_back(with_candidate, kind):
    after = promoted(with_candidate[kind], "intent", None)

    entry = after.tasks["intent"]
    assert (entry.live, entry.previous, entry.canary, entry.shadow) == (4, 3, None, None)
    assert rolled_back(after, "intent", None).tasks["intent"].live == 3


def test_without_a_candidate_there_is_nothing_to_promote(registry):
    with pytest.raises(BuildError, match="intent has no candidate to promote; version 3 is live"):
        promoted(registry, "intent", None)


@pytest.mark.parametrize("kind", ["canary", "shadow"])
def test_rolling_back_a_candidate_leaves_the_live_version_and_its_past(registry, with_candidate, kind):
    entry = rolled_back(with_candidate[kind], "intent", None).tasks["intent"]

    before = registry.tasks["intent"]
    assert (entry.live, entry.earlier, entry.candidate) == (before.live, before.earlier, None)
    assert (sorted(entry.versions), entry.newest) == (["1", "2", "3", "4"], 4)


def test_rolling_back_goes_one_version_back_each_time_until_none_is_left(registry):
    first = rolled_back(registry, "intent", None)
    second = rolled_back(first, "intent", None)

    assert [(one.tasks["intent"].live, one.tasks["intent"].earlier) for one in (first, second)] == [(2, [1]), (1, [])]
    assert sorted(second.tasks["intent"].versions) == ["1", "2", "3"]
    with pytest.raises(BuildError, match="intent has no earlier version to roll back to, version 1 stays live"):
        rolled_back(second, "intent", None)


def test_after_a_rollback_a_publish_can_be_rolled_back_to_what_was_live(registry, publish):
    after = publish(rolled_back(registry, "intent", None))

    assert (after.tasks["intent"].live, after.tasks["intent"].previous) == (4, 2)


def test_a_retired_task_is_gone_and_what_batches_in_flight_may_ask_for_is_remembered(registry, publish):
    now = datetime.now(UTC)
    two = publish(publish(registry, "mood", model="branch_mood.2"), "mood", trunk="trunk.2", model="branch_mood.2")

    after = retired(two, "mood", now)

    assert list(after.tasks) == ["intent"]
    assert after.tasks["intent"] == registry.tasks["intent"]
    gone = after.retired["mood"]
    assert (gone.version, gone.since, gone.is_leaving) == (3, now, True)
    assert (gone.models, gone.trunks) == (["branch_mood", "branch_mood.2"], ["trunk", "trunk.2"])


def test_the_trunk_of_a_retired_task_goes_when_nothing_is_in_flight_any_more(registry, publish):
    both = publish(registry, "topic", trunk="trunk.2")

    assert sorted(tidied(retired(both, "topic", datetime.now(UTC))).trunks) == ["trunk", "trunk.2"]
    assert sorted(tidied(retired(both, "topic", _seconds_ago(11))).trunks) == ["trunk"]
    without_server = retired(both, "topic", None)
    assert not without_server.retired["topic"].is_leaving
    assert sorted(tidied(without_server).trunks) == ["trunk"]


def test_the_last_task_is_not_retired(registry):
    with pytest.raises(BuildError, match="mood is the only task"):
        retired(retired(registry, "intent", None), "mood", None)


@pytest.mark.parametrize(
    "change", [promoted, rolled_back, retired, lambda registry, task, _: task_entry(registry, task)]
)
def test_a_task_that_is_not_here_is_told_from_one_that_was_retired(registry, change):
    with pytest.raises(BuildError, match="the task topic is not here; the tasks are intent, mood"):
        change(registry, "topic", None)
    with pytest.raises(BuildError, match="the task intent was retired; the tasks are mood"):
        change(retired(registry, "intent", None), "intent", None)
