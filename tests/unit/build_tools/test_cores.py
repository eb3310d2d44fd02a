from pathlib import Path

import pytest

from build_tools import cores as module
from build_tools.cores import usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 4), ("150000 100000", 2), ("10000 100000", 1), ("900000 100000", 4)]
)
def test_a_container_s_quota_counts_and_not_only_the_machine_s_cores(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    file = tmp_path / "cpu.max"
    file.write_text(quota)

    assert usable_cores(file) == cores
    assert usable_cores(tmp_path / "missing") == 4
