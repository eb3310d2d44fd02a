"""What a replica does with what it finds in the shared folder, on a clock and a Triton that are made up."""

import errno
import json

import pytest

from build_tools.errors import BuildError
from build_tools.repository.proposal import commit_proposal, withdraw_proposal, write_proposal
from build_tools.repository.registry import DRAIN_SECONDS, write_registry
from build_tools.serving.replica import follower as follower_module
from build_tools.serving.replica.errors import NotHereError
from build_tools.serving.replica.follower import Follower
from build_tools.serving.replica.generation import Generation


class MadeUpModels:
    """done: what was asked of it. fails: {generation: errors that its next attempts raise}. dies: in these attempts."""

    def __init__(self):
        self.done, self.fails, self.cannot_settle, self.is_well, self.dies = [], {}, 0, True, False

    def prepare(self, before, after):
        self.done.append(("prepare", before.generation, after.generation))
        if self.fails.get(after.generation):
            self.is_well = not self.dies
            raise self.fails[after.generation].pop(0)

    def put_in_force(self, generation):
        self.done.append(("in force", generation.number))

    def settle(self, adopted, earlier, coming):
        if self.cannot_settle:
            self.cannot_settle -= 1
            raise BuildError("Triton is busy")
        self.done.append(
            ("settle", adopted.generation, [one.generation for one in earlier], coming and coming.generation)
        )

    def is_up(self):
        return self.is_well


class Site:
    """A shared folder and its follower. `look` lets some time pass first."""

    def __init__(self, shared):
        self.shared, self.models, self.now, self.restarts, self.events = shared, MadeUpModels(), 1000.0, 0, []
        content = (shared / "registry.json").read_bytes()
        self.follower = Follower(
            shared,
            Generation.of(content, shared),
            self.models,
            restarts=lambda: self.restarts,
            changed=lambda: None,
            report=self.events.append,
            clock=lambda: self.now,
        )

    def look(self, seconds=0.2):
        self.now += seconds
        self.models.done.clear()
        self.follower.look()
        return self.models.done

    @property
    def said(self):
        return self.follower.standing()


@pytest.fixture
def site(shared, monkeypatch):
    monkeypatch.setattr(follower_module, "_DOUBT_SECONDS", 0.0)
    site = Site(shared)
    site.look()
    return site


def test_a_replica_with_nothing_to_do_says_what_it_has_adopted_and_asks_nothing_of_triton(site):
    assert site.look() == []
    assert (site.said.generation, site.said.settled, site.said.behind, site.said.proposal) == (1, 1, "", None)


def test_a_proposal_is_prepared_and_only_the_commit_puts_it_in_force(site, registry, following):
    sha256 = write_proposal(site.shared, following(registry))
    assert site.look() == [("prepare", 1, 2)]
    assert (site.said.proposal.sha256, site.said.proposal.ready) == (sha256, True)
    assert site.look() == [], "what is ready is not loaded again"

    commit_proposal(site.shared)
    assert site.look() == [("in force", 2), ("settle", 2, [1], None)]
    assert (site.said.generation, site.said.sha256, site.said.proposal) == (2, sha256, None)
    assert site.said.settled == 1, "batches in flight may still ask for what was live"


def test_what_was_live_leaves_so_many_seconds_after_the_switch_here(site, registry, following):
    write_proposal(site.shared, following(registry))
    site.look()
    commit_proposal(site.shared)
    site.look()

    assert site.look(DRAIN_SECONDS - 1) == []
    assert site.look(1) == [("settle", 2, [], None)]
    assert site.said.settled == 2


def test_publishes_in_a_row_do_not_put_off_what_leaves(site, registry, following):
    after = registry
    for _ in range(4):
        after = following(after)
        write_registry(site.shared, after)
        site.look(DRAIN_SECONDS * 0.6)

    assert (site.said.generation, site.said.settled) == (5, 3)
    assert site.models.done[-1] == ("settle", 5, [3, 4], None)


def test_a_generation_that_was_never_proposed_is_proved_before_it_is_adopted(site, registry, following):
    write_registry(site.shared, following(registry))

    assert site.look() == [("prepare", 1, 2), ("in force", 2), ("settle", 2, [1], None)]


@pytest.mark.parametrize(
    "error", [NotHereError("branch_intent/4 is not here yet"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_files_that_are_not_here_yet_or_do_not_fit_now_are_waited_for_and_refuse_nothing(
    site, registry, following, error
):
    site.models.fails[2] = [error] * 2
    write_proposal(site.shared, following(registry))

    site.look()
    assert (site.said.proposal.ready, site.said.proposal.refused) == (False, "")
    assert site.said.proposal.waiting == str(error)
    site.look(0.3)
    assert site.look(1) == [("prepare", 1, 2)]
    assert site.said.proposal.ready


def test_a_proposal_that_answers_otherwise_is_refused_once_and_unloaded(site, registry, following):
    site.models.fails[2] = [BuildError("version 4 of intent does not answer here as it should")]
    write_proposal(site.shared, following(registry))

    assert site.look() == [("prepare", 1, 2), ("settle", 1, [], None)]
    assert site.said.proposal.refused == "version 4 of intent does not answer here as it should"
    assert site.look(40) == []
    assert site.events == [
        "the proposed generation 2 is refused: version 4 of intent does not answer here as it should"
    ]

    withdraw_proposal(site.shared)
    site.look()
    assert site.said.proposal is None


def test_a_triton_that_died_under_an_attempt_is_no_refusal(site, registry, following):
    site.models.fails[2] = [BuildError("Triton cannot load branch_intent")]
    site.models.dies = True
    write_proposal(site.shared, following(registry))
    site.look()
    assert (site.said.proposal.refused, site.said.proposal.waiting) == ("", "tritonserver is being started again")

    site.models.is_well, site.restarts = True, 1
    site.look(1)
    assert site.said.proposal.ready


def test_a_triton_that_is_away_is_asked_nothing_and_refuses_nothing(site, registry, following):
    site.models.is_well = False
    write_proposal(site.shared, following(registry))

    assert site.look() == []
    assert site.said.proposal.waiting == "tritonserver is being started again"


def test_after_a_restart_of_triton_a_proposal_is_loaded_and_proved_again(site, registry, following):
    write_proposal(site.shared, following(registry))
    site.look()
    site.restarts = 1

    assert site.look() == [("prepare", 1, 2), ("settle", 1, [], 2)]


def test_a_withdrawn_proposal_is_unloaded_and_told_of_until_then(site, registry, following):
    sha256 = write_proposal(site.shared, following(registry))
    site.look()
    withdraw_proposal(site.shared)
    assert site.look(0.1) == [], "a commit may look like this on a network file system"
    assert (site.said.proposal.sha256, site.said.proposal.ready) == (sha256, False)
    site.models.cannot_settle = 1
    site.look(1)
    assert site.said.proposal is not None

    assert site.look(1) == [("settle", 1, [], None)]
    assert site.said.proposal is None


def test_the_next_proposal_is_loaded_only_after_a_withdrawn_one_has_gone(site, registry, following):
    """It has the same version number, and other weights."""
    write_proposal(site.shared, following(registry, "intent"))
    site.look()
    write_proposal(site.shared, following(registry, "mood"))

    assert site.look() == [("settle", 1, [], None), ("prepare", 1, 2)]


def test_a_commit_that_is_seen_late_is_adopted(site, registry, following):
    after = following(registry)
    write_proposal(site.shared, after)
    site.look()
    withdraw_proposal(site.shared)
    site.look()
    site.look(2)
    write_registry(site.shared, after)

    assert site.look()[:2] == [("prepare", 1, 2), ("in force", 2)]


def test_a_proposal_beyond_the_next_generation_waits_for_what_comes_before(site, registry, following):
    write_proposal(site.shared, following(following(registry)))

    assert site.look() == []
    assert site.said.proposal.waiting == "generation 2 is not adopted here yet"


def test_a_committed_generation_that_fails_here_leaves_the_old_one_in_force_and_is_tried_again_and_again(
    site, registry, following
):
    site.models.fails[2] = [BuildError("no memory")] * 5
    write_registry(site.shared, following(registry))

    assert ("in force", 2) not in site.look()
    assert site.said.behind == "generation 2: no memory"
    attempts = sum(("prepare", 1, 2) in site.look() for _ in range(10))
    assert attempts == 3, "after pauses that grow"
    for _ in range(10):
        site.look(1)
    assert (site.said.generation, site.said.behind) == (2, "")


def test_a_dead_proposal_of_a_generation_long_past_is_nothing(site, registry):
    write_proposal(site.shared, registry)

    assert site.look() == []
    assert site.said.proposal is None


def test_a_damaged_or_missing_registry_leaves_the_adopted_one_in_force(site):
    good = (site.shared / "registry.json").read_bytes()
    (site.shared / "registry.json").write_text(json.dumps({"format_version": 3}))
    assert site.look() == []
    assert "is damaged" in site.said.behind
    (site.shared / "registry.json").unlink()
    site.look()
    assert site.said.behind == f"{site.shared / 'registry.json'} is missing."

    (site.shared / "registry.json").write_bytes(good)
    site.look()
    assert site.said.behind == ""


def test_what_is_loaded_is_settled_again_now_and_then(site):
    """A compaction keeps earlier versions loaded for an hour, say, and nothing else happens when that is over."""
    assert site.look(61) == [("settle", 1, [], None)]


def test_an_error_that_nobody_thought_of_does_not_end_the_follower(site, monkeypatch):
    monkeypatch.setattr(follower_module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(follower_module, "_LONGEST_WAIT", 0.001)
    looks = []
    monkeypatch.setattr(site.follower, "look", lambda: (looks.append(1), 1 / 0))
    site.follower.start()
    while len(looks) < 3:
        pass
    site.follower.join()

    assert site.events == ["the shared folder cannot be followed: ZeroDivisionError: division by zero"]
