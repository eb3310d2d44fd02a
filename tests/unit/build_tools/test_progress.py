import pytest

from build_tools.errors import BuildError
from build_tools.progress import Progress
from training.errors import TrainingError


def _fail(progress, cause, *steps):
    with progress.failures_told():
        for step in steps:
            progress.at(step)
        raise cause


def test_each_step_is_told_as_it_begins():
    told = []
    progress = Progress("c is not published: it failed", told.append)

    progress.at("checkpoint")
    assert told == ["checkpoint"]
    progress.at("trunk")
    assert told == ["checkpoint", "trunk"]


@pytest.mark.parametrize("kind", [BuildError, TrainingError, OSError])
def test_what_goes_wrong_is_one_sentence_that_names_the_step_under_way(kind):
    cause = kind("the disk is full")

    with pytest.raises(BuildError) as raised:
        _fail(Progress("c is not published: it failed", lambda _: None), cause, "checkpoint", "trunk")

    assert str(raised.value) == "c is not published: it failed at step 'trunk': the disk is full"
    assert raised.value.__cause__ is cause


def test_of_what_nobody_foresaw_the_kind_is_told_too():
    with pytest.raises(BuildError, match=r"^c failed at step 'checkpoint': KeyError: 'hidden_size'$"):
        _fail(Progress("c failed", lambda _: None), KeyError("hidden_size"), "checkpoint")


def test_once_it_is_done_a_failure_does_not_say_that_it_is_not():
    progress = Progress("c is not published: it failed", lambda _: None)
    progress.done("version 4 is published, but what follows failed")

    with pytest.raises(BuildError, match=r"^version 4 is published, but what follows failed at step 'ensemble': no$"):
        _fail(progress, BuildError("no"), "ensemble")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_user_who_stops_it_is_no_failure(kind):
    with pytest.raises(kind):
        _fail(Progress("c", lambda _: None), kind())
