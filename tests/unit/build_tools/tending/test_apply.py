"""Whose fault it is that an artefact cannot be published: only its own refuses it."""

import os

import pytest

from build_tools.errors import BuildError, NotNowError
from build_tools.fleet.errors import TooFewServersError
from build_tools.publishing.running_server import NoServer
from build_tools.tending import apply as apply_module
from build_tools.tending.apply import apply
from build_tools.tending.case import Case


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
