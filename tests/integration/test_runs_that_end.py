"""A run of tests that breaks comes to its end and names what failed; tests/conftest.py and the Makefile see to it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # for a run that takes seconds
LIMITS = {"AFTER_THE_LIMIT_SECONDS = 60.0": "AFTER_THE_LIMIT_SECONDS = 1.0", "END_SECONDS = 120.0": "END_SECONDS = 2.0"}

FIXTURE_THAT_NEVER_ENDS = """
import subprocess, sys, pytest

@pytest.fixture
def program():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]):
        yield

def test_with_a_program(program):
    assert False, "first"
"""
THREAD_THAT_NEVER_ENDS = """
import threading, time

def test_with_a_thread():
    threading.Thread(target=time.sleep, args=(300,)).start()
"""
WORKER_THAT_DIES = """
import os

def test_before(): pass
def test_that_kills(): os._exit(3)
def test_after(): pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this one's hooks, and short limits."""
    hooks = (ROOT / "tests/conftest.py").read_text()
    for limit, shorter in LIMITS.items():
        assert limit in hooks
        hooks = hooks.replace(limit, shorter)
    (tmp_path / "conftest.py").write_text(hooks)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 2\n")
    return tmp_path


def _run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def _options_of_make_test() -> list[str]:
    found = re.search(r"^TWO_AT_A_TIME := .*?pytest ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return shlex.split(found[1].replace("\\\n", " "))


def test_a_fixture_that_never_ends_ends_the_run_with_its_stack_and_the_failure_before_it(project: Path) -> None:
    (project / "test_it.py").write_text(FIXTURE_THAT_NEVER_ENDS)

    ended = _run(project)

    assert ended.returncode == 1
    assert "FAILED (call) test_it.py::test_with_a_program" in ended.stderr
    assert re.search(r"test_it\.py.* in program", ended.stderr), "the stack says where it waits"


def test_a_thread_that_never_ends_ends_the_run(project: Path) -> None:
    (project / "test_it.py").write_text(THREAD_THAT_NEVER_ENDS)

    ended = _run(project)

    assert ended.returncode == 1
    assert "1 passed" in ended.stdout
    assert "in _end" in ended.stderr


def test_a_worker_that_dies_ends_the_run_and_its_test_is_named(project: Path) -> None:
    (project / "test_1.py").write_text(WORKER_THAT_DIES)
    for number in range(2, 5):
        (project / f"test_{number}.py").write_text("def test_one(): pass\n\ndef test_two(): pass\n")

    ended = _run(project, *_options_of_make_test())

    assert ended.returncode == 1
    assert "crashed while running 'test_1.py::test_that_kills'" in ended.stderr
