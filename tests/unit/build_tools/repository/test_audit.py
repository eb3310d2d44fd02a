import json
from datetime import datetime

import pytest

from build_tools.repository import audit
from build_tools.repository.audit import (
    AUDIT_LOG,
    last_withdrawals,
    log_action,
    log_compaction,
    published_of,
    read_lines,
)

WITHDRAWAL = {
    "at": "2026-01-02T03:04:05+00:00",
    "by": "router",
    "action": "withdraw",
    "task": "intent",
    "version": 4,
    "reason": "its calls took 70.0 ms on average, allowed are 50 ms",
}


@pytest.fixture(autouse=True)
def user(monkeypatch):
    monkeypatch.setattr(audit, "this_user", lambda: "somebody")


def _withdraw(repository, **changes):
    """As a router writes it."""
    with (repository / AUDIT_LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(WITHDRAWAL | changes) + "\n")


def test_each_action_is_a_line_that_says_who_did_what_and_when(tmp_path):
    log_action(tmp_path, "publish", "intent", 4, state="live", data="größe\u2028")
    log_action(tmp_path, "retire", "mood", 2)

    text = (tmp_path / AUDIT_LOG).read_text(encoding="utf-8")
    first, second, end = text.split("\n")
    assert end == ""
    assert "größe" in first  # for a reader's eyes
    first, second = json.loads(first), json.loads(second)
    assert datetime.fromisoformat(first.pop("at")).utcoffset().total_seconds() == 0
    assert first == {
        "by": "somebody",
        "action": "publish",
        "task": "intent",
        "version": 4,
        "state": "live",
        "data": "größe\u2028",
    }
    assert (second["action"], second["task"], second["version"]) == ("retire", "mood", 2)


def test_a_repository_without_a_log_has_no_withdrawal(tmp_path):
    assert last_withdrawals(tmp_path).get("intent") is None


def test_a_canary_that_a_router_withdrew_is_found_by_its_task(tmp_path):
    log_action(tmp_path, "publish", "intent", 4, state="canary")
    _withdraw(tmp_path)
    log_action(tmp_path, "publish", "mood", 2, state="live", data="a\u2028b")

    assert last_withdrawals(tmp_path).get("intent") == WITHDRAWAL
    assert last_withdrawals(tmp_path).get("mood") is None
    assert last_withdrawals(tmp_path).get("topic") is None


def test_of_several_withdrawals_the_last_one_counts(tmp_path):
    _withdraw(tmp_path, version=4)
    _withdraw(tmp_path, version=5)

    assert last_withdrawals(tmp_path).get("intent")["version"] == 5


def test_a_withdrawal_is_no_news_once_something_was_done_to_the_task(tmp_path):
    _withdraw(tmp_path)
    log_action(tmp_path, "publish", "intent", 5, state="live")

    assert last_withdrawals(tmp_path).get("intent") is None


def test_a_line_that_was_torn_off_does_not_swallow_the_next_one_or_hide_the_others(tmp_path):
    _withdraw(tmp_path)
    with (tmp_path / AUDIT_LOG).open("a", encoding="utf-8") as file:
        file.write('{"at": "2026-01-02T03:04:05+00:00", "by": "som')  # the disk was full

    log_action(tmp_path, "publish", "mood", 2, state="live")

    lines = read_lines(tmp_path / AUDIT_LOG)
    assert [line["task"] for line in lines] == ["intent", "mood"]
    assert last_withdrawals(tmp_path).get("intent") == WITHDRAWAL


def test_bytes_that_are_no_text_are_no_reason_to_read_nothing(tmp_path):
    (tmp_path / "lines").write_bytes(b'{"a": 1}\n{"b": "\xff\n\n{"c": 3}\n')

    assert read_lines(tmp_path / "lines") == [{"a": 1}, {"c": 3}]
    assert read_lines(tmp_path / "none") == []


def test_a_compaction_s_line_names_a_model_and_no_task_and_neither_does_one_of_an_earlier_release(tmp_path):
    _withdraw(tmp_path, task="fused")
    log_compaction(tmp_path, "fused", 2, {"intent": 4})
    with (tmp_path / AUDIT_LOG).open("a") as file:
        file.write('{"action": "compact", "task": "fused", "version": 3, "tasks": {"intent": 4}}\n')  # as they wrote it

    line = read_lines(tmp_path / AUDIT_LOG)[1]
    assert {name: line[name] for name in line.keys() - {"at", "by"}} == {
        "action": "compact",
        "model": "fused",
        "version": 2,
        "tasks": {"intent": 4},
    }
    assert last_withdrawals(tmp_path)["fused"]["version"] == 4


def test_the_versions_of_a_checkpoint_are_found_though_they_are_gone(tmp_path):
    log_action(tmp_path, "publish", "intent", 3, checkpoint="a")
    log_action(tmp_path, "publish", "intent", 4, checkpoint="b")
    log_action(tmp_path, "publish", "intent", 5, checkpoint="a")
    log_action(tmp_path, "publish", "mood", 6, checkpoint="a")
    log_action(tmp_path, "rollback", "intent", 7, checkpoint="a")
    with (tmp_path / AUDIT_LOG).open("a") as file:
        file.write('{"action": "publish", "task": "intent", "version": [8], "checkpoint": "a"}\n')  # by hand

    assert published_of(tmp_path, "intent", "a") == {3, 5}
    assert published_of(tmp_path, "topic", "a") == set()
