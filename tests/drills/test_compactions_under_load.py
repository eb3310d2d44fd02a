"""Compactions on a server under load, among all other changes: no request fails, and no answer mixes versions.

Each drill prints what it saw (pytest -s).
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from drill_size import drill_size
from failing_site import (
    BACK_SECONDS,
    QUIET_SECONDS,
    ended_itself,
    restarts,
    send,
    timed_load,
    wait_for,
    wait_until_back,
)
from publishing_site import TASKS, Site, check_answers, check_tidy
from sentences import TEXTS

from build_tools.publishing import leaving
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.repository import in_memory
from build_tools.repository.registry import CanaryTerms, read_registry
from clients.errors import ServerUnavailable
from training.kinds import Kind

ROUNDS = drill_size(1, 10)
# For batches in flight, before what is in the graph is unloaded. Here none takes as long as a second.
DRAIN_SECONDS = drill_size(2.0, 10.0)


@pytest.fixture(autouse=True)
def _drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "DRAIN_SECONDS", DRAIN_SECONDS)
    monkeypatch.setattr(in_memory, "DRAIN_SECONDS", DRAIN_SECONDS)


def test_rounds_of_all_changes_with_compactions_between_them_harm_nobody(site: Site, load: Callable[[], dict]) -> None:
    for number in range(1, ROUNDS + 1):
        # Each version has labels of its own, so that an answer shows which version's labels and logits it is made of.
        labels = [f"{label}{number}" for label in "abc"]
        _, version = site.publish(site.checkpoint("intent", labels=labels, seed=number), redefine=True)
        assert _runs_in(site, "intent").startswith("branch_intent")
        site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y"), seed=number))

        began = time.monotonic()
        inside = site.compact()
        print(f"\ncompaction of {len(inside)} tasks: {time.monotonic() - began - DRAIN_SECONDS:.1f} s")
        assert {*TASKS, "topics"} == set(inside)
        assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].version == version

        site.change(rollback, "intent")
        assert _runs_in(site, "intent") == "branch_intent"
        site.compact()
        assert _runs_in(site, "intent").startswith("fused")

        site.publish(site.checkpoint("same", seed=number), canary=CanaryTerms(share=0.5))
        site.change(retire, "topics")
        site.change(rollback, "same")
    seen = load()

    assert seen["failures"] == []
    check_answers(seen, changed={"intent", "topics", "same"})
    for entry in seen["answers"]:
        if entry["task"] == "intent":
            published = str(entry["version"] - 1) if entry["version"] > 1 else ""
            assert set(entry["answer"]["scores"]) == {f"{label}{published}" for label in "abc"}, entry
    check_tidy(site)


@pytest.mark.alone
def test_a_killed_fused_graph_is_back_within_ten_seconds(site: Site, tmp_path: Path) -> None:
    site.compact()
    server, pid = site.server, site.server.triton_pid
    model = _runs_in(site, "intent")
    with timed_load(server.grpc_url, tmp_path) as end:
        time.sleep(2)
        killed, before = time.time(), restarts(server, model)
        send(server, model, signal.SIGKILL)
        took = wait_until_back(server, before)
        time.sleep(QUIET_SECONDS)
        seen = end()

    failures = seen.failures(killed, time.time())
    print(f"\nSIGKILL of {model}: back after {took:.1f} s, {len(failures)} requests failed")
    ended_itself(site, pid)
    assert all(after < BACK_SECONDS + QUIET_SECONDS for _, after, _ in failures)
    wait_for(lambda: _is_answered(site, "intent"), BACK_SECONDS)  # routers try a model again after pauses of up to 3 s


def _is_answered(site: Site, task: str) -> bool:
    try:
        return site.client.predict(TEXTS[0], tasks=[task])[task].error is None
    except ServerUnavailable:
        return False


def _runs_in(site: Site, task: str) -> str:
    """The Triton model that computes a task's live version."""
    registry = read_registry(site.repository)
    entry = registry.tasks[task]
    fused = registry.fused_with(task, entry.live)
    return entry.live_version.model if fused is None else fused.model
