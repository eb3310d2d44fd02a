from types import SimpleNamespace

import pytest
from router import failure_log
from router.failure_log import FailureLog
from router.registry import Version

INTENT = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
SLOTS = Version("slots", 1, "tagging", ("O", "B-x"), 2, 16, "branch_slots", "trunk")


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(failure_log, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_many_failures_are_one_line_a_second_for_each_version_and_none_is_forgotten(clock, caplog):
    log = FailureLog()
    for number in range(50):
        log.add(INTENT, 2, "it is broken", [f"request-{number}", ""])
        log.add(SLOTS, 1, "it is broken", [])
    clock.now += 1.5
    log.add(INTENT, 3, "it is broken", ["last"])

    intent, slots, later = (record.getMessage() for record in caplog.records)
    assert intent == "version 2 of intent: 2 texts not answered, requests request-0: it is broken"
    assert slots == "version 1 of slots: 1 texts not answered: it is broken"
    assert later == "version 2 of intent: 3 texts not answered (and 98 before), requests last: it is broken"


def test_a_line_names_some_requests_and_not_hundreds(clock, caplog):  # noqa: ARG001
    FailureLog().add(INTENT, 64, "it is broken", [f"request-{number:02}" for number in range(64)])

    assert caplog.text.count("request-") == 5
