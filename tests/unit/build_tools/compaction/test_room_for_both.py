from pathlib import Path

import pytest

from build_tools.compaction.room_for_both import available_memory, check_room
from build_tools.errors import BuildError

GIGABYTE = 2**30


def test_a_graph_for_which_there_is_no_memory_is_refused_with_both_figures(tmp_path):
    check_room(tmp_path, 0, available=GIGABYTE)

    with pytest.raises(BuildError, match=r"it needs 3\.6 GB, and 1\.0 GB are available\. Choose fewer tasks"):
        check_room(tmp_path, 2 * GIGABYTE, available=GIGABYTE)


def test_a_graph_for_which_there_is_no_disk_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"the disk of .* is too full for the fused graph"):
        check_room(tmp_path, 2**60, available=2**62)


def _cgroup(folder: Path, limit: str) -> Path:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text("900\n")
    (folder / "memory.stat").write_text("anon 100\ninactive_file 300\n")
    return folder


def test_a_container_s_limit_counts_without_its_files_in_memory(tmp_path):
    assert available_memory(_cgroup(tmp_path, "1000")) == 400
    assert available_memory(_cgroup(tmp_path, "max")) > GIGABYTE / 10
    assert available_memory(tmp_path / "no cgroup") > GIGABYTE / 10
