"""Nothing that was handed in is lost or taken twice, wherever tend is killed."""

import json
import os
from pathlib import Path

import pytest

from build_tools.errors import BuildError
from build_tools.repository.registry import CanaryTerms
from build_tools.tending.case import Options, Outcome
from build_tools.tending.hand_in import hand_in, wait_for
from build_tools.tending.inbox import Inbox


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def put(inbox):
    """(name, options) -> an artefact that was written elsewhere and renamed in."""

    def put(name, options=None, content="an artefact"):
        if options is not None:
            (inbox.folder / f"{name}.json").write_text(json.dumps(options))
        (inbox.folder / f".{name}").write_text(content)
        (inbox.folder / f".{name}").rename(inbox.folder / name)

    return put


def _all(inbox):
    return sorted(str(path.relative_to(inbox.folder)) for path in inbox.folder.rglob("*") if path.is_file())


def test_the_oldest_comes_first_with_its_own_options(inbox, put):
    put("b.espalier", {"shadow": True})
    put("a.espalier")
    os.utime(inbox.folder / "a.espalier", (0, 0))  # written long ago, and handed in last

    first = inbox.next_case()
    assert (first.name, first.options()) == ("b.espalier", Options(shadow=True))
    first.close(Outcome.now("b", 1))
    second = inbox.next_case()
    assert (second.name, second.options()) == ("a.espalier", Options())


def test_what_is_still_being_written_is_left_alone(inbox):
    for name in (".x.espalier", "x.espalier.part", "x.espalier.json", "notes.txt"):
        (inbox.folder / name).write_text("{}")
    (inbox.folder / "folder.espalier").mkdir()
    (inbox.folder / "working" / "mine").mkdir()
    before = _all(inbox)
    assert inbox.next_case() is None
    assert _all(inbox) == before


def test_a_closed_case_is_kept_with_what_came_of_it_and_one_of_the_same_name_beside_it(inbox, put):
    for version in (1, 2):
        put("intent.espalier", content=f"artefact {version}")
        inbox.next_case().close(Outcome.now("intent", version))
    put("intent.espalier", content="artefact 3")
    inbox.next_case().close(Outcome.now(problem="no"))
    done, refused = (sorted((inbox.folder / state).iterdir()) for state in ("done", "refused"))
    assert [(case / "intent.espalier").read_text() for case in (*done, *refused)] == [
        "artefact 1",
        "artefact 2",
        "artefact 3",
    ]
    assert json.loads((refused[0] / "result.json").read_text())["problem"] == "no"
    assert inbox.next_case() is None


class _KilledError(BaseException):
    pass


@pytest.fixture
def killed_at(monkeypatch):
    """(n) -> the n-th change of a folder from now on does not happen, and neither does anything after it."""

    def killed_at(n, do):
        left = [n]

        def counted(real):
            def call(*given, **named):
                left[0] -= 1
                if left[0] < 0:
                    raise _KilledError
                return real(*given, **named)

            return call

        with monkeypatch.context() as patched:
            for name in ("rename", "replace", "mkdir"):
                patched.setattr(os, name, counted(getattr(os, name)))
            try:
                do()
            except _KilledError:
                return True
        return False

    return killed_at


@pytest.mark.parametrize("n", range(10))
@pytest.mark.parametrize("version", [4, None])
def test_killed_at_any_change_it_goes_on_and_the_artefact_is_closed_once(inbox, put, killed_at, n, version):
    put("intent.espalier", {"keep": 7})
    published = []

    def all_of_it():
        case = Inbox(inbox.folder).next_case()
        if case is not None:
            assert case.options().keep == 7
            assert case.artefact.read_text() == "an artefact"
            published.append(case.name)
            case.close(Outcome.now("intent", version))

    was_killed = killed_at(n, all_of_it)
    assert was_killed == (n < 8)  # three folders of the inbox, one of the case, options, artefact, result, move
    all_of_it()

    assert inbox.next_case() is None
    (case,) = (inbox.folder / ("done" if version else "refused")).iterdir()
    assert {file.name for file in case.iterdir()} == {"intent.espalier", "intent.espalier.json", "result.json"}
    assert _all(inbox) == sorted(str(file.relative_to(inbox.folder)) for file in case.iterdir())
    assert published


def test_one_that_somebody_takes_away_meanwhile_is_said_to_be_gone_and_the_next_one_comes(inbox, put, killed_at):
    put("gone.espalier")
    killed_at(1, inbox.next_case)  # it has a folder, and is still in the inbox
    (inbox.folder / "gone.espalier").unlink()
    put("next.espalier")
    assert inbox.next_case().name == "next.espalier"
    (refused,) = (inbox.folder / "refused").glob("*/result.json")
    assert "taken out of the inbox by somebody else" in refused.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{", "intent.espalier.json is damaged"),
        ('{"canary": 0.1}', "intent.espalier.json is wrong"),
        ('{"canaries": {"share": 0.1}}', "intent.espalier.json is wrong .canaries"),
        ('{"canary": {"share": 0.1}, "shadow": true}', "canary and shadow exclude each other"),
    ],
)
def test_options_that_are_wrong_are_said_in_a_sentence(inbox, put, options, said):
    put("intent.espalier")
    (inbox.folder / "intent.espalier.json").write_text(options)
    with pytest.raises(BuildError, match=said):
        inbox.next_case().options()


def test_what_is_handed_in_arrives_whole_and_its_outcome_comes_back(inbox, tmp_path):
    file = tmp_path / "intent.espalier"
    file.write_bytes(b"of today")
    options = Options(canary=CanaryTerms(share=0.1, max_error_rate=0.2), redefine=True)
    names = {hand_in(file, inbox.folder, options) for _ in "12"}
    assert len(names) == 2

    case = inbox.next_case()
    assert (case.artefact.read_bytes(), case.options()) == (b"of today", options)
    with pytest.raises(BuildError, match="still waits in"):
        wait_for(inbox.folder, case.name, seconds=0)
    case.close(Outcome.now("intent", 3))
    assert wait_for(inbox.folder, case.name, seconds=0).version == 3

    with pytest.raises(BuildError, match="is not the inbox of an espalier tend"):
        hand_in(file, tmp_path, Options())
    with pytest.raises(BuildError, match="is no file"):
        hand_in(tmp_path, inbox.folder, Options())


def test_a_copy_that_fails_leaves_nothing(inbox, tmp_path, monkeypatch):
    file = tmp_path / "intent.espalier"
    file.write_bytes(b"of today")
    before = _all(inbox)

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        hand_in(file, inbox.folder, Options())
    assert _all(inbox) == before


@pytest.mark.parametrize("name", ["a" * 215 + ".espalier", "a\udcff.espalier", "a\nb.espalier"])
def test_a_name_that_no_case_can_have_is_left_and_told_and_holds_up_nobody(inbox, put, name):
    put(name)
    put("z.espalier")
    inbox.next_case().close(Outcome.now("z", 1))
    with pytest.raises(BuildError, match=r"is left in .*: give it a name of at most 200 bytes, all of them printable"):
        inbox.next_case()
    assert (inbox.folder / name).exists()
    artefact = inbox.folder / name
    with pytest.raises(BuildError, match="cannot be handed in: rename it"):
        hand_in(artefact, inbox.folder, Options())


def test_a_case_is_closed_although_what_was_handed_in_may_not_be_read(inbox, put, monkeypatch):
    put("x.espalier")
    case = inbox.next_case()
    real = os.open

    def refuse(path, *given, **named):
        if Path(path).is_file():
            raise PermissionError(path)
        return real(path, *given, **named)

    monkeypatch.setattr(os, "open", refuse)
    place = case.close(Outcome.now(problem="it may not be read"))
    assert place.parent.name == "refused"
    assert sorted(path.name for path in place.iterdir()) == ["result.json", "x.espalier"]
