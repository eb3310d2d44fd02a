"""When tend starts a compaction, and when not again."""

import pytest

from build_tools.tending import compaction_process
from build_tools.tending.compaction_process import CompactionProcess


@pytest.fixture
def children(monkeypatch):
    """The compactions that were started; each runs until a test gives it an exit status."""

    started = []

    class Child:
        def __init__(self, command):
            self.command, self.status, self.terminated = command, None, False
            started.append(self)

        def poll(self):
            return self.status

        def terminate(self):
            self.terminated = True

        def wait(self):
            return self.status

    monkeypatch.setattr(compaction_process.subprocess, "Popen", Child)
    return started


@pytest.fixture
def now(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(compaction_process.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def said():
    return []


@pytest.fixture
def compaction(said):
    return CompactionProcess(0.5, ["--fleet", "a"], said.append)


def test_one_runs_at_a_time_and_not_for_too_few_tasks(compaction, children, registry, said):
    CompactionProcess(1.0, [], said.append).look(registry)  # all of them are outside, and no more than all can be
    assert (children, said) == ([], [])
    for _ in "123":
        compaction.look(registry)
    (child,) = children
    assert child.command[-5:] == ["compact", "--fleet", "a", "--when-needed", "0.5"]
    assert said == ["compacting: 100% of the tasks run outside the fused graph"]
    compaction.end()
    assert child.terminated


def test_what_one_left_outside_is_not_tried_again_until_another_version_is_live(compaction, children, registry):
    compaction.look(registry)
    children[0].status = 0
    for _ in "123":
        compaction.look(registry)
    assert len(children) == 1
    registry.tasks["intent"].live = 2
    compaction.look(registry)
    assert len(children) == 2


def test_one_that_failed_is_said_and_tried_again_an_hour_later(compaction, children, registry, said, now):
    compaction.look(registry)
    children[0].status = 1
    for _ in "123":
        compaction.look(registry)
    assert said[1:] == ["the compaction failed (exit status 1); in 60 min it is tried again"]
    now[0] += 3600
    compaction.look(registry)
    assert len(children) == 2
