"""The verbs tend and hand-in, as typed."""

import errno
import io
import json
import threading

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.tending import command
from build_tools.tending.case import Outcome
from build_tools.tending.inbox import Inbox


@pytest.fixture
def run(monkeypatch):
    """Runs the program; handlers of signals stay as they are."""
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return lambda *given: CliRunner().invoke(app, list(map(str, given)))


@pytest.fixture
def kept(monkeypatch):
    """What `tend` was asked to keep."""
    kept = []
    monkeypatch.setattr("build_tools.tending.tend.tend", lambda *given: kept.append(given))
    return kept


def test_tend_keeps_the_repository_alone(run, kept, repository, tmp_path):
    given = ["tend", "--repository", repository, "--fleet", "a:8000,b:8000", "--require", "50%"]
    done = run(*given, "--inbox", tmp_path / "inbox", "--compact-when", "40%")
    assert (done.exit_code, done.stdout) == (0, "Stopped.\n")
    ((folder, terms, inbox, compaction, ended, _),) = kept
    assert folder == repository
    assert [address.target for address in terms.addresses] == ["a:8000", "b:8000"]
    assert terms.requirement.needed(4) == 2
    assert inbox.folder.joinpath("working").is_dir()
    assert compaction is not None
    assert isinstance(ended, threading.Event)

    with FileLock(repository / "tend.lock"):
        refused = run(*given)
    assert isinstance(refused.exception, BuildError)
    assert "another espalier tend keeps" in str(refused.exception)
    assert len(kept) == 1
    run(*given)
    assert kept[1][2:4] == (None, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--fleet", "grpc://a:8001"], "is a gRPC address"),
        (["--fleet", "a", "--require", "0"], "is no requirement"),
        (["--fleet", "a", "--compact-when", "x"], "--compact-when 'x' is not a share"),
        (["--fleet", "a", "--repository", "nowhere"], "holds no registry.json"),
    ],
)
def test_what_tend_cannot_take_is_said_before_anything_is_written(run, kept, repository, tmp_path, given, said):
    before = sorted(tmp_path.rglob("*"))
    refused = run("tend", "--repository", repository, "--inbox", tmp_path / "inbox", *given)
    assert isinstance(refused.exception, BuildError)
    assert said in str(refused.exception)
    assert (kept, sorted(tmp_path.rglob("*"))) == ([], before)


def test_a_folder_that_may_not_be_written_to_is_said_with_what_to_do(run, kept, repository, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    refused = run("tend", "--repository", repository, "--fleet", "a:8000")
    assert "cannot be changed from here (Read-only file system): run this as a user who" in str(refused.exception)
    assert kept == []


def test_tend_goes_on_when_nobody_reads_its_events_any_more(monkeypatch):
    class Left(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    monkeypatch.setattr(command.sys, "stderr", Left())
    command._report("canary 2 of intent is withdrawn")


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def artefact(tmp_path):
    (tmp_path / "intent.espalier").write_bytes(b"an artefact")
    return tmp_path / "intent.espalier"


def test_options_go_with_an_artefact(run, inbox, artefact, tmp_path):
    (tmp_path / "options.json").write_text(json.dumps({"redefine": True, "keep": 9}))
    done = run("hand-in", artefact, "--inbox", inbox.folder, "--canary", "10%", "--options", tmp_path / "options.json")
    assert done.exit_code == 0
    given = inbox.next_case().options()
    assert (given.canary.share, given.redefine, given.keep) == (0.1, True, 9)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.now("intent", 4), "intent: version 4 is published\n"),
        (Outcome.now("intent", 4, "the ensemble failed"), "intent: version 4 is published, but the ensemble failed\n"),
        (Outcome.now(problem="it is damaged"), "intent.espalier is refused: it is damaged"),
    ],
)
def test_whoever_waits_is_told_what_came_of_it(run, inbox, artefact, monkeypatch, outcome, said):
    monkeypatch.setattr("time.sleep", lambda _: inbox.next_case().close(outcome))
    done = run("hand-in", artefact, "--inbox", inbox.folder, "--wait", 5)
    assert said in (str(done.exception) if done.exception else done.stdout)
    assert (done.exit_code == 0) == (outcome.version is not None)


@pytest.mark.parametrize("share", ["0%", "x"])
def test_a_share_that_is_none_hands_in_nothing(run, inbox, artefact, share):
    assert isinstance(run("hand-in", artefact, "--inbox", inbox.folder, "--canary", share).exception, BuildError)
    assert inbox.next_case() is None
