import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from build_tools.serving.triton import leftovers
from build_tools.serving.triton.leftovers import clear_leftovers
from build_tools.serving.triton.run_mark import RunMark
from build_tools.serving.triton.serving_folder import new_temporary_folder

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def left(tmp_path):
    """What a killed server has left: its folder, its shared memory, and the mark that names both."""
    folder = new_temporary_folder()
    (folder / "triton.log").touch()
    shared_memory = tmp_path / "shm"
    shared_memory.mkdir()
    (shared_memory / "espalier_abc_region").touch()
    (shared_memory / "espalier_abc_run").write_text(json.dumps({"folder": str(folder), "pid": 1}))
    yield folder, shared_memory
    for file in folder.glob("*"):
        file.unlink()
    if folder.exists():
        folder.rmdir()


@pytest.mark.parametrize("named", ["{folder}/repository/trunk/1/model.onnx", "espalier_abc_region"])
def test_processes_files_and_folder_of_a_killed_server_are_cleared(left, tmp_path, named):
    folder, shared_memory = left
    reported = []
    with subprocess.Popen([*SLEEPS, named.format(folder=folder)]) as orphan:
        clear_leftovers(tmp_path, reported.append, shared_memory)

        assert not psutil.pid_exists(orphan.pid)
    assert not folder.exists()
    assert list(shared_memory.iterdir()) == []
    assert reported == [f"cleared what a killed server had left: 1 processes, {folder}"]


def test_a_running_server_is_left_alone(left, tmp_path):
    _, shared_memory = left
    (shared_memory / "espalier_abc_run").unlink()
    folder = Path("/tmp/espalier-serve-of-this-test")
    with RunMark(folder, shared_memory) as mark, subprocess.Popen([*SLEEPS, f"{folder}/x", mark.prefix]) as process:
        clear_leftovers(tmp_path, print, shared_memory)

        time.sleep(0.1)
        assert process.poll() is None
        process.kill()


@pytest.mark.parametrize("folder", ["{tmp}", "{tmp}/espalier-serve-link"])
def test_a_mark_that_names_another_folder_does_not_remove_it(tmp_path, folder):
    shared_memory, precious = tmp_path / "shm", tmp_path / "precious"
    shared_memory.mkdir()
    precious.mkdir()
    (tmp_path / "espalier-serve-link").symlink_to(precious)
    (shared_memory / "espalier_abc_run").write_text(json.dumps({"folder": folder.format(tmp=tmp_path)}))

    clear_leftovers(tmp_path, print, shared_memory)

    assert precious.is_dir()
    assert not list(shared_memory.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_mark_of_another_user_proves_nothing(left, tmp_path):
    folder, shared_memory = left
    os.chown(shared_memory / "espalier_abc_run", 12345, 12345)

    clear_leftovers(tmp_path, print, shared_memory)

    assert folder.is_dir()


def test_a_process_that_has_just_ended_is_no_leftover(tmp_path, monkeypatch):
    """Its id is still in the list of locks."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    reported = []
    monkeypatch.setattr(leftovers, "holders", lambda _: [ended.pid])
    monkeypatch.setattr(leftovers.psutil, "pid_exists", lambda _: True)  # at the first look

    clear_leftovers(tmp_path, reported.append, tmp_path)

    assert reported == []
