"""Pages of weights that the runtime has copied do not stay in memory, and are there when they are read again."""

import mmap
from pathlib import Path

import pytest

from build_tools.backends.espalier_backend.mapped_weights import leave_in_file

SIZE = 8 * 2**20


def _resident(file: Path) -> int:
    """Bytes of the file that this process holds through mappings."""
    found, is_its = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            is_its = line.endswith(str(file))
        elif is_its and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx.data"
    file.write_bytes(b"w" * SIZE)
    return file


def test_pages_of_a_mapped_file_leave_the_process_and_come_back(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == b"w" * SIZE
        assert _resident(file) == SIZE

        leave_in_file(["another.data"])
        assert _resident(file) == SIZE
        leave_in_file([file.name])
        assert _resident(file) == 0
        assert mapped[:] == b"w" * SIZE


def test_a_mapping_that_may_have_been_written_to_is_left_alone(file: Path) -> None:
    with file.open("rb+") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[0:1] = b"x"
        leave_in_file([file.name])
        assert mapped[0:1] == b"x"
