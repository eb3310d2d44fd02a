import errno
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.compaction import command
from build_tools.compaction.compact import compact
from build_tools.errors import BuildError
from build_tools.publishing.running_server import NoServer


@pytest.fixture
def given(monkeypatch):
    """What the verb says of its server, and hands to the function that does the work."""
    given = []

    @contextmanager
    def changed_server(url, _repository, fleet):
        yield url, fleet and [one.url for one in fleet.addresses], fleet and fleet.requirement.needed(10)

    def compact(_repository, server, *options, report):
        report("working")
        given.append((server, *options))
        return {"intent": "fused", "mood": "fused"}

    monkeypatch.setattr(command, "changed_server", changed_server)
    monkeypatch.setattr("build_tools.compaction.compact.compact", compact)
    monkeypatch.setattr(command.os, "nice", lambda _: None)
    return given


def _run(*arguments):
    result = CliRunner().invoke(app, ["compact", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()[-1]


def test_a_server_or_a_fleet_is_compacted(given):
    assert _run("--url", "here:8001", "--tasks", "intent, mood") == "fused: 2 tasks (intent, mood)"
    _run("--fleet", "a,b", "--require", "50%", "--when-needed", "10%", "--keep-loaded", "60")

    assert given == [
        (("here:8001", None, None), ["intent", "mood"], 3600, 0.0),
        ((None, ["http://a", "http://b"], 5), None, 60, 0.1),
    ]


@pytest.mark.parametrize("tasks", ["", ",", " , "])
def test_tasks_that_name_none_are_refused_before_anything_is_read(tmp_path: Path, tasks: str) -> None:
    result = CliRunner().invoke(app, ["compact", "--repository", str(tmp_path / "none"), "--tasks", tasks])

    assert isinstance(result.exception, BuildError)
    assert str(result.exception).startswith("--tasks names no task")


def test_a_repository_that_may_not_be_written_to_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(BuildError, match=r"cannot be changed from here \(Read-only file system\): run this as a user"):
        compact(tmp_path, NoServer())
