"""A canary that is out of bounds is taken from all servers at once."""

from build_tools.publishing.running_server import NoServer
from build_tools.repository.audit import last_withdrawals
from build_tools.repository.proposal import PROPOSAL, write_proposal
from build_tools.repository.registry import CanaryEntry, read_registry, write_registry
from build_tools.tending.canary_judge import Verdict
from build_tools.tending.withdraw import withdraw

VERDICT = Verdict("intent", 2, "it was slow")


def _with_canary(repository, version=2):
    registry = read_registry(repository)
    registry.tasks["intent"].canary = CanaryEntry(version=version, share=0.1)
    write_registry(repository, registry)
    return registry


def test_it_is_out_of_the_next_generation_and_the_reason_is_written_down(repository):
    before = _with_canary(repository)
    write_proposal(repository, before)  # its publisher was killed

    assert withdraw(VERDICT, repository, NoServer(), print)

    after = read_registry(repository)
    assert (after.tasks["intent"].canary, after.tasks["intent"].live) == (None, 3)
    assert after.generation == before.generation + 1
    assert not (repository / PROPOSAL).exists()
    line = last_withdrawals(repository).get("intent")
    assert (line["by"], line["version"], line["reason"]) == ("tend", 2, "it was slow")


def test_it_is_left_alone_if_somebody_was_quicker(repository):
    before = _with_canary(repository, version=1)
    assert not withdraw(VERDICT, repository, NoServer(), print)
    assert not withdraw(Verdict("mood", 2, "it was slow"), repository, NoServer(), print)
    assert read_registry(repository) == before
    assert last_withdrawals(repository).get("intent") is None
