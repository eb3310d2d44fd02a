from pathlib import Path

import pytest
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError


@pytest.mark.parametrize("tasks", ["", ",", " , "])
def test_tasks_that_name_none_are_refused_before_anything_is_read(tmp_path: Path, tasks: str) -> None:
    result = CliRunner().invoke(app, ["compact", "--repository", str(tmp_path / "none"), "--tasks", tasks])

    assert isinstance(result.exception, BuildError)
    assert str(result.exception).startswith("--tasks names no task")
