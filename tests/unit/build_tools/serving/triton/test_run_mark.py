import os
import subprocess
import sys

import pytest

from build_tools.serving.triton.run_mark import RunMark, left_behind

DIES = (
    "import os, signal, sys; from pathlib import Path; from build_tools.serving.triton.run_mark import RunMark; "
    "mark = RunMark(Path('/tmp/espalier-serve-x'), Path(sys.argv[1])); "
    "(Path(sys.argv[1]) / f'{mark.prefix}region').touch(); os.kill(os.getpid(), signal.SIGKILL)"
)


def test_a_running_server_has_left_nothing_behind(tmp_path):
    with RunMark(tmp_path / "folder", tmp_path):
        assert left_behind(tmp_path) == []


def test_a_removed_mark_takes_the_shared_memory_of_its_prefix_and_no_other(tmp_path):
    other = tmp_path / "espalier_other_region"
    other.touch()
    with RunMark(tmp_path / "folder", tmp_path) as mark:
        (tmp_path / f"{mark.prefix}region").touch()

    assert list(tmp_path.iterdir()) == [other]


def test_a_killed_server_is_known_by_its_folder_and_its_prefix(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], env=environment, check=False)

    (left,) = left_behind(tmp_path)

    assert str(left.folder) == "/tmp/espalier-serve-x"
    assert (tmp_path / f"{left.prefix}region").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"folder": 5}', "\x00"])
def test_a_mark_that_cannot_be_read_proves_nothing(tmp_path, content):
    (tmp_path / "espalier_x_run").write_text(content)

    assert left_behind(tmp_path) == []
