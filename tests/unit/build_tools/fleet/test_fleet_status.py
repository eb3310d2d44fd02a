import io

import pytest
from rich.console import Console

from build_tools.fleet.asking import Replica
from build_tools.fleet.fleet_status import canary_counts, fleet_status
from build_tools.fleet.fleet_table import print_fleet
from build_tools.repository.replica_state import CandidateCounts, Proposed, ReplicaState
from clients.address import parse_address


def _replica(name, **says):
    state = {"server": f"{name}:1", "ready": True, "generation": 7, "settled": 7} | says
    return Replica(parse_address(f"http://{name}:8000"), ReplicaState(**state))


GONE = Replica(parse_address("http://gone:8000"), problem="it cannot be reached (Connection refused)")


def test_the_sums_are_over_the_servers_that_answer():
    busy = _replica("a", requests=10, errors=1, memory_bytes=2**20)
    idle = _replica("b", requests=5, memory_bytes=2**21, generation=6, ready=False)

    status = fleet_status([busy, idle, GONE], 7, None)

    assert (status.reachable, status.ready, status.at_generation) == (2, 1, 1)
    assert (status.requests, status.errors, status.memory_bytes) == (15, 1, 3 * 2**20)
    assert status.model_dump()["requests"] == 15  # for --json


@pytest.mark.parametrize(
    ("says", "differs"),
    [
        ({}, ""),
        ({"generation": 6}, "at generation 6"),
        ({"generation": 6, "behind": "generation 7: trunk/2 is not here yet"}, "behind: generation 7: trunk/2 is not"),
        ({"ready": False, "reason": "Triton is being started"}, "it is not ready: Triton is being started"),
        ({"ready": False, "stopping": True}, "it is being stopped"),
        ({"tasks": {"intent": True, "mood": False}}, "does not answer: mood"),
        ({"proposal": Proposed(generation=8, sha256="s", ready=True)}, "proposal 8 is ready"),
        ({"proposal": Proposed(generation=8, sha256="s", refused="no")}, "proposal 8 is refused: no"),
        ({"proposal": Proposed(generation=8, sha256="s", waiting="for it")}, "proposal 8 waits: for it"),
        ({"proposal": Proposed(generation=8, sha256="s")}, "proposal 8 is being loaded"),
    ],
)
def test_what_differs_is_said_in_words(says, differs):
    (one,) = fleet_status([_replica("a", **says)], 7, None).replicas

    assert one.differs.startswith(differs)
    assert bool(one.differs) == bool(differs)


def test_a_server_that_does_not_answer_says_nothing_of_itself():
    (one,) = fleet_status([GONE], 7, None).replicas

    assert (one.reachable, one.ready, one.generation, one.requests) == (False, False, None, None)
    assert one.differs == GONE.problem


def test_what_routers_have_counted_of_a_canary_is_summed():
    def counts(answers, errors):
        return {"intent": {4: CandidateCounts(answers=answers, errors=errors)}}

    found = canary_counts([_replica("a", counts=counts(3, 1)), GONE, _replica("b", counts=counts(4, 0))])

    assert found == {("intent", 4): {"candidate_answers": 7, "candidate_errors": 1}}


def test_the_table_has_a_line_for_each_server_the_sums_and_what_differs():
    out = io.StringIO()
    status = fleet_status([_replica("a", requests=10, memory_bytes=2**20), GONE], 7, 8)

    print_fleet(status, Console(file=out, width=160))

    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "http://a:8000 a:1 ready 7 10 0 0 1" in lines
    assert "http://gone:8000 - unreachable - - - - -" in lines
    assert "2 servers 1 ready 1 at 7 10 0 1" in lines
    assert lines[-2:] == [
        "http://gone:8000: it cannot be reached (Connection refused)",
        "generation 8 is proposed, 7 is committed",
    ]
