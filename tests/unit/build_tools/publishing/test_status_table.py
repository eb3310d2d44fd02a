import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from build_tools.publishing.status import CandidateStatus, TaskStatus
from build_tools.publishing.status_table import print_status


@pytest.fixture
def printed():
    """The lines that are printed of one task; what is given replaces the defaults."""

    def printed(**given):
        defaults = {
            "task": "intent",
            "live": 7,
            "previous": 6,
            "candidate": None,
            "versions": [5, 6, 7],
            "loaded": [6, 7],
            "published_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "published_by": "somebody",
            "data": "/data/rows_of_may",
            "checkpoint": "c",
            "requests": 1234,
            "errors": 56,
            "withdrawn": None,
        }
        out = io.StringIO()
        print_status([TaskStatus(**defaults | given)], Console(file=out, width=200))
        return [line.rstrip() for line in out.getvalue().splitlines()]

    return printed


def _row(lines):
    (row,) = (line for line in lines if line.strip().startswith("intent "))
    return row.split()


def test_a_task_is_one_line_under_titles(printed):
    lines = printed()

    titles = next(line for line in lines if line.strip().startswith("task"))
    assert (
        " ".join(titles.split()) == "task live previous candidate loaded requests errors runs in layers since by data"
    )
    assert " ".join(_row(lines)) == "intent 7 6 6, 7 1234 56 - 2026-01-02 03:04 somebody rows_of_may"


def test_what_is_not_known_is_a_dash(printed):
    row = _row(printed(previous=None, loaded=None, requests=None, errors=None))

    assert " ".join(row) == "intent 7 - - - - - 2026-01-02 03:04 somebody rows_of_may"


def test_a_previous_version_that_a_rollback_would_load_first_is_told_from_one_that_answers_at_once(printed):
    assert " ".join(_row(printed(loaded=[7]))).startswith("intent 7 6 (on disk) 7 1234")
    assert " ".join(_row(printed(loaded=[7], silent={6: "slow"}))).startswith("intent 7 6 7, 6 (no answer) 1234")


def test_a_server_that_has_loaded_nothing_is_told_from_one_that_was_not_asked(printed):
    assert _row(printed(loaded=[], previous=None))[:4] == ["intent", "7", "-", "1234"]


def test_a_canary_has_its_share_in_the_line_and_its_answers_below(printed):
    lines = printed(candidate=CandidateStatus(version=8, kind="canary", share=0.025, answers=40, errors=2))

    assert _row(lines)[3:6] == ["8", "canary", "2.5%"]
    assert lines[-1] == "intent: canary 8 has answered 40 texts and failed for 2"


def test_a_shadow_is_told_with_how_often_it_differs_and_with_both_answers(printed):
    examples = [
        {"version": 8, "text": "größe [red]\nx", "pair": None, "live": {"label": "a"}, "shadow": {"label": "ö"}},
        {"version": 8, "text": "one", "pair": "two", "live": {"score": 0.5}, "shadow": {"score": 0.75}},
    ]
    lines = printed(
        candidate=CandidateStatus(
            version=8, kind="shadow", answers=40, errors=0, compared=38, differing=19, examples=examples
        )
    )

    assert "8 shadow" in " ".join(_row(lines))
    start = lines.index("intent: it differs from the live version for 19 of 38 (50.0%)")
    assert lines[start + 1 :] == [
        r"  'größe [red]\nx'",  # not read as the console's own marks
        '    live    {"label": "a"}',
        '    shadow  {"label": "ö"}',
        "  'one' / 'two'",
        '    live    {"score": 0.5}',
        '    shadow  {"score": 0.75}',
    ]


def test_a_shadow_that_has_been_compared_with_nothing_has_no_share_of_differences(printed):
    lines = printed(candidate=CandidateStatus(version=8, kind="shadow", answers=0, errors=0, compared=0, differing=0))

    assert lines[-1] == "intent: shadow 8 has answered 0 texts and failed for 0"


def test_where_no_server_was_asked_nothing_is_said_of_a_candidate_s_answers(printed):
    lines = printed(candidate=CandidateStatus(version=8, kind="canary", share=0.5))

    assert _row(lines)[3:6] == ["8", "canary", "50%"]
    assert not any(line.startswith("intent:") for line in lines)


def test_a_withdrawn_canary_is_told_below(printed):
    assert printed(withdrawn="canary 8 was withdrawn")[-1] == "intent: canary 8 was withdrawn"
