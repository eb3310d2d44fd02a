import os

import pytest
from router.model_processes import NEWEST, ModelProcesses

SERVER = 100


@pytest.fixture
def processes(tmp_path):
    """A /proc in which tritonserver, process 100, runs some models."""

    def add(pid, state, parent, *command):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (name) R 7) {state} {parent} 1 1 0")
        (tmp_path / str(pid) / "cmdline").write_bytes("\0".join(command).encode() + b"\0")

    stub = "/tmp/backends/python/triton_python_backend_stub"
    add(1, "S", 0, "init")
    add(SERVER, "S", 1, "tritonserver")
    add(101, "S", SERVER, stub, "/tmp/repository/branch_intent/3/model.onnx", "shm", "1048576")
    add(102, "S", SERVER, stub, "/tmp/repository/branch_intent/4/model.onnx", "shm", "1048576")
    add(103, "Z", SERVER, stub, "/tmp/repository/branch_slots/1/model.onnx", "shm", "1048576")
    add(104, "T", SERVER, stub, "/tmp/repository/branch_mood/1/model.onnx", "shm", "1048576")
    add(105, "S", 1, stub, "/tmp/repository/branch_slots/1/model.onnx", "shm", "1048576")  # of another server
    add(106, "S", SERVER, "bash")
    add(107, "S", SERVER)
    (tmp_path / "meminfo").touch()
    (tmp_path / "108").mkdir()  # it has just ended
    return ModelProcesses(SERVER, tmp_path)


def test_a_process_is_found_by_model_and_version(processes):
    assert processes.find("branch_intent", 3) == [101]
    assert sorted(processes.find("branch_intent", NEWEST)) == [101, 102]
    assert processes.find("branch_intent", 5) == []


def test_dead_ones_and_those_of_another_server_are_not_found(processes):
    assert processes.find("branch_slots", 1) == []
    assert not processes.can_answer("branch_slots", 1)


def test_a_stopped_process_is_found_and_cannot_answer(processes):
    assert processes.find("branch_mood", 1) == [104]
    assert not processes.can_answer("branch_mood", 1)
    assert processes.can_answer("branch_intent", 4)


def test_this_process_runs_and_one_that_never_was_does_not():
    processes = ModelProcesses()

    assert processes.runs(os.getpid())
    assert not processes.runs(2**22 + 1)
