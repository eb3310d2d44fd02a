import os
import subprocess
import sys

import psutil
import pytest

from build_tools.serving.watch import process_metrics
from build_tools.serving.watch.model_processes import ModelProcess
from build_tools.serving.watch.process_metrics import ProcessCollector


@pytest.fixture
def ended():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _collected(triton, gates):
    families = ProcessCollector(lambda: triton, lambda: gates).collect()
    return {family.name: {one.labels["model"]: one.value for one in family.samples} for family in families}


def test_processes_of_a_model_are_counted_together_and_those_that_have_ended_not_at_all(monkeypatch, ended):
    class Table:
        def __init__(self, server):
            assert server == os.getpid()

        def read(self):
            here = os.getpid()
            intent = [
                ModelProcess(pid, ("branch_intent", version), False, 0.0) for version, pid in ((3, here), (4, here))
            ]
            return [*intent, ModelProcess(ended, ("branch_mood", 1), False, 0.0)]

    monkeypatch.setattr(process_metrics, "ProcessTable", Table)

    found = _collected(os.getpid(), [os.getpid(), ended])

    assert found["espalier_model_processes"] == {"gate": 1, "tritonserver": 1, "branch_intent": 2, "branch_mood": 0}
    memory = found["espalier_model_memory_bytes"]
    own = psutil.Process().memory_info().rss
    assert memory["branch_intent"] == pytest.approx(2 * own, rel=0.2)
    assert memory["branch_mood"] == 0


def test_a_triton_that_runs_elsewhere_has_no_processes_here():
    assert _collected(None, [])["espalier_model_processes"] == {}
