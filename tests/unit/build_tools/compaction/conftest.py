"""A tiny trunk and branches, apart and as one."""

from pathlib import Path

import onnx
import pytest
from tiny_graphs import TAGGING, TASKS, make_branch, make_trunk

from build_tools.compaction.fused_files import write_fused
from build_tools.compaction.merged_graph import MergedBranch


@pytest.fixture(scope="session")
def trunk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("trunk") / "model.onnx"
    onnx.save(make_trunk(), file)
    return file


@pytest.fixture(scope="session")
def branches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MergedBranch]:
    folder = tmp_path_factory.mktemp("branches")
    made = {}
    for number, (task, tap) in enumerate(TASKS.items()):
        made[task] = MergedBranch(folder / f"{task}.onnx", tap)
        onnx.save(make_branch(number, per_token=task == TAGGING), made[task].file)
    return made


@pytest.fixture(scope="session")
def fused(trunk_file: Path, branches: dict[str, MergedBranch], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the version in which they are one."""
    folder = tmp_path_factory.mktemp("fused")
    write_fused(trunk_file, branches, folder)
    return folder
