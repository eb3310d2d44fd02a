"""Whose fault it is that an artefact cannot be published: only its own refuses it."""

import os
from types import SimpleNamespace

import pytest

from build_tools.errors import BuildError, NotNowError
from build_tools.fleet.errors import TooFewServersError
from build_tools.publishing.running_server import NoServer
from build_tools.repository.audit import log_action
from build_tools.tending import apply as apply_module
from build_tools.tending.apply import apply
from build_tools.tending.case import Case, Started


@pytest.fixture
def case(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "x.espalier").write_bytes(b"an artefact")
    return Case(tmp_path / "case", "x.espalier")


@pytest.fixture
def failing(monkeypatch):
    """(an error) -> publish fails as it does for that."""

    def failing(cause):
        def publish(*_, **__):
            raise BuildError(f"x.espalier is not published: it failed at step 'its turn': {cause}") from cause

        monkeypatch.setattr(apply_module, "publish", publish)

    return failing


@pytest.mark.parametrize(
    "cause", [OSError("no space left"), TooFewServersError("1 of 3 servers"), NotNowError("locked for 10 minutes")]
)
def test_what_others_are_to_blame_for_is_tried_again(case, repository, failing, cause):
    failing(cause)
    with pytest.raises(NotNowError, match=str(cause)):
        apply(case, repository, NoServer(), print)


def test_what_is_its_own_fault_refuses_it(case, repository, failing):
    failing(BuildError("it is damaged"))
    outcome = apply(case, repository, NoServer(), print)
    assert (outcome.version, outcome.problem[-13:]) == (None, "it is damaged")


@pytest.mark.parametrize("name", ["x.espalier", "x.espalier.json"])
def test_one_that_may_not_be_read_is_refused_or_it_would_hold_up_all_others_for_ever(
    case, repository, failing, monkeypatch, name
):
    (case.folder / "x.espalier.json").write_text("{}")
    monkeypatch.setattr(os, "access", lambda file, _: file.name != name)
    failing(PermissionError("x.espalier"))
    outcome = apply(case, repository, NoServer(), print)
    assert outcome.version is None
    assert outcome.problem.startswith(f"{name} may not be read by espalier tend: hand it in again")


@pytest.fixture
def of_checkpoint(monkeypatch):
    """(its SHA-256) -> every file is an artefact of that checkpoint of intent."""

    def of_checkpoint(sha256):
        record = SimpleNamespace(task="intent", sha256=sha256)
        monkeypatch.setattr(apply_module, "unseal", lambda *_: SimpleNamespace(record=record))

    return of_checkpoint


def test_what_was_published_and_is_gone_again_is_not_published_by_the_next_tend(
    case, repository, failing, of_checkpoint
):
    of_checkpoint("a")
    case.start(Started(newest={"intent": 3}))
    log_action(repository, "publish", "intent", 4, checkpoint="a")  # here tend was killed, and then the task retired
    failing(BuildError("it is published once more"))
    outcome = apply(case, repository, NoServer(), print)
    assert (outcome.task, outcome.version, outcome.problem) == ("intent", 4, "")


def test_what_is_handed_in_again_is_published_again(case, repository, monkeypatch, of_checkpoint):
    of_checkpoint("a")
    log_action(repository, "publish", "intent", 3, checkpoint="a")
    monkeypatch.setattr(apply_module, "publish", lambda *_, **__: ("intent", 4))
    outcome = apply(case, repository, NoServer(), print)
    assert (outcome.version, case.started()) == (4, Started(newest={"intent": 3}))
