import json

import pytest

from build_tools.publishing import status
from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.running_server import Calls
from build_tools.publishing.status import read_status
from build_tools.repository import audit
from build_tools.repository.names import examples_file
from build_tools.repository.registry import CanaryEntry, FusedEntry

CANARY = CanaryEntry(version=3, share=0.1, max_error_rate=0.01, max_milliseconds=100, minimum=50)


class _Server:
    """Holds branch_intent, and nothing of mood."""

    counted: dict

    def __init__(self, url, control_key):
        assert (url, control_key) == ("here:8001", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def calls(self):
        return self.counted

    def ready_versions(self):
        return {"branch_intent": [1, 2, 3], "branch_other": [1], "nlu": [1]}


@pytest.fixture
def counted(monkeypatch):
    """What the server has counted, to be filled in."""
    calls, candidates = {}, {}
    monkeypatch.setattr(status, "candidate_counts", lambda _: candidates)
    monkeypatch.setattr(status, "silent_versions", lambda *_, **__: {"intent": {1: "it is dead"}})
    monkeypatch.setattr(status, "RunningServer", type("_Counting", (_Server,), {"counted": calls}))
    return calls, candidates


@pytest.fixture
def with_candidate(registry):
    """With version 2 of intent live, and what is given."""

    def with_candidate(**given):
        entry = registry.tasks["intent"].model_copy(update={"live": 2, "earlier": [1]} | given)
        return registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}})

    return with_candidate


def _asked(repository, registry):
    return read_status(repository, registry, "here:8001", MetricsPage.of("", 0.0))


def test_without_a_server_there_is_what_the_registry_says_and_no_counts(tmp_path, registry):
    intent, mood = read_status(tmp_path, registry, None, None)

    assert (intent.task, intent.live, intent.previous, intent.versions) == ("intent", 3, 2, [1, 2, 3])
    origin = registry.tasks["intent"].live_version.origin
    assert intent.published_at == origin.published_at
    assert (intent.published_by, intent.data) == (origin.published_by, "none")
    assert (mood.task, mood.live, mood.previous) == ("mood", 1, None)
    for task in (intent, mood):
        assert (task.candidate, task.loaded, task.requests, task.errors, task.withdrawn) == (None,) * 5


def test_versions_are_in_the_order_of_their_numbers(tmp_path, registry):
    entry = registry.tasks["intent"]
    many = entry.model_copy(
        update={"versions": {str(number): entry.live_version for number in (3, 2, 10)}, "earlier": []}
    )
    registry = registry.model_copy(update={"tasks": {"intent": many}})

    assert read_status(tmp_path, registry, None, None)[0].versions == [2, 3, 10]


def test_requests_and_errors_are_those_of_the_live_version_and_loaded_is_what_the_server_holds_and_what_answers(
    tmp_path, with_candidate, counted
):
    counted[0].update({("branch_intent", 2): Calls(70, 4), ("branch_intent", 1): Calls(5, 5)})

    intent, mood = _asked(tmp_path, with_candidate())

    assert (intent.requests, intent.errors, intent.loaded) == (70, 4, [2, 3])
    assert (intent.silent, mood.silent) == ({1: "it is dead"}, {})
    assert (mood.requests, mood.errors, mood.loaded) == (0, 0, [])


def test_a_canary_is_told_with_its_share_and_what_it_has_answered(tmp_path, with_candidate, counted):
    counted[1].update(
        {("intent", 3): {"candidate_answers": 40, "candidate_errors": 2}, ("intent", 2): {"candidate_answers": 9}}
    )

    candidate = _asked(tmp_path, with_candidate(canary=CANARY))[0].candidate

    assert (candidate.version, candidate.kind, candidate.share, candidate.answers, candidate.errors) == (
        3,
        "canary",
        0.1,
        40,
        2,
    )
    assert (candidate.compared, candidate.differing, candidate.examples) == (None, None, [])


@pytest.mark.usefixtures("counted")
def test_a_candidate_that_nobody_has_asked_yet_has_counts_of_0_and_without_a_server_none(tmp_path, with_candidate):
    registry = with_candidate(shadow=3)

    asked = _asked(tmp_path, registry)[0].candidate
    assert (asked.answers, asked.errors, asked.compared, asked.differing) == (0, 0, 0, 0)

    unasked = read_status(tmp_path, registry, None, None)[0].candidate
    assert (unasked.version, unasked.kind, unasked.share) == (3, "shadow", None)
    assert (unasked.answers, unasked.errors, unasked.compared, unasked.differing) == (None,) * 4


def test_a_shadow_is_told_with_how_often_it_differs_and_a_few_examples_of_its_own(tmp_path, with_candidate, counted):
    counted[1].update({("intent", 3): {"candidate_answers": 40, "shadow_compared": 38, "shadow_differing": 12}})
    texts = ["of an earlier candidate", *(f"a\u2028b {number}" for number in range(12))]
    lines = [
        {"version": 3 if "a" in text[:1] else 2, "text": text, "pair": None, "live": {"label": "x"}, "shadow": {}}
        for text in texts
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (tmp_path / examples_file("intent")).write_text(text, encoding="utf-8")

    candidate = _asked(tmp_path, with_candidate(shadow=3))[0].candidate

    assert (candidate.compared, candidate.differing) == (38, 12)
    assert candidate.examples == [line for line in lines if line["version"] == 3][:10]
    assert (
        _asked(tmp_path, with_candidate(canary=CANARY))[0].candidate.examples == []
    )  # those of a canary are no disagreement


def test_a_canary_that_was_withdrawn_is_told_with_the_reason(tmp_path, registry):
    line = {"at": "2026-01-02T03:04:05+00:00", "by": "router", "action": "withdraw", "task": "intent", "version": 4}
    line["reason"] = "it was slow"
    (tmp_path / "audit.jsonl").write_text(json.dumps(line) + "\n")

    intent, mood = read_status(tmp_path, registry, None, None)

    assert intent.withdrawn == "canary 4 was withdrawn at 2026-01-02T03:04:05+00:00: it was slow"
    assert mood.withdrawn is None


def test_the_audit_log_is_read_once_for_all_tasks(tmp_path, registry, monkeypatch):
    read = []
    monkeypatch.setattr(audit, "read_lines", lambda file: read.append(file) or [])

    assert len(read_status(tmp_path, registry, None, None)) == 2
    assert read == [tmp_path / "audit.jsonl"]


def _compacted(registry, live=1):
    """With intent's version 1 in a fused graph, and `live` live."""
    trunk = registry.trunks["trunk"]
    fused = FusedEntry(model="fused", version=4, taps=[1, 2], tasks={"intent": 1}, since="2026-01-02T03:04:05Z")
    intent = registry.tasks["intent"].model_copy(update={"live": live, "earlier": []})
    return registry.model_copy(
        update={
            "trunks": {"trunk": trunk.model_copy(update={"fused": fused})},
            "tasks": registry.tasks | {"intent": intent},
        }
    )


def test_each_task_says_where_its_live_version_runs(tmp_path, registry):
    intent, mood = read_status(tmp_path, _compacted(registry), None, None)
    assert (intent.runs_in, mood.runs_in) == ("fused", "branch_mood")

    intent, _ = read_status(tmp_path, _compacted(registry, live=3), None, None)
    assert intent.runs_in == "branch_intent"


def test_requests_to_a_task_in_a_fused_graph_are_the_texts_that_routers_asked_it_for(tmp_path, registry, counted):
    calls, _ = counted
    calls["fused", 4] = Calls(answered=500, failed=2)
    compacted = _compacted(registry)
    live = compacted.tasks["intent"].live
    text = f"""
espalier_texts_total{{model="nlu",task="intent",version="{live}"}} 70
espalier_texts_total{{model="nlu_stream",task="intent",version="{live}"}} 5
espalier_texts_total{{model="nlu",task="intent",version="{live + 1}"}} 9
espalier_errors_total{{model="nlu",task="intent",version="{live}",class="failed"}} 3
"""

    intent, mood = read_status(tmp_path, compacted, "here:8001", MetricsPage.of(text, 0.0))
    assert (intent.requests, intent.errors) == (72, 3)
    assert (mood.requests, mood.errors) == (0, 0)

    intent, _ = read_status(tmp_path, compacted, "here:8001", None)
    assert (intent.requests, intent.errors) == (None, None)


def test_layers_and_milliseconds_are_those_of_the_live_version(tmp_path, registry):
    folder = tmp_path / "branch_intent" / "3"
    folder.mkdir(parents=True)
    (folder / "branch.json").write_text('{"layers": 3}')
    text = """
espalier_texts_total{model="nlu",task="intent",version="3"} 100
espalier_branch_seconds_sum{task="intent",version="3"} 0.5
espalier_trunk_layers_total{model="nlu"} 200
espalier_trunk_seconds_total{model="nlu"} 0.4
"""

    intent, mood = read_status(tmp_path, registry, None, MetricsPage.of(text, 0.0))

    assert (intent.layers, intent.own_layers) == (2, 3)
    assert (intent.milliseconds, intent.trunk_milliseconds) == (5.0, 4.0)
    assert (mood.own_layers, mood.milliseconds) == (None, None)
