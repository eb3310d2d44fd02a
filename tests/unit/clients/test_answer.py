import pytest
from pydantic import ValidationError

from clients.answer import ScoredLabel, Span, Word, read_row, read_rows
from clients.errors import ServerFailed


def test_every_kind_of_answer_is_read() -> None:
    answers = read_row(
        """{"tasks": {
        "intent": {"label": "alarm", "score": 0.9, "version": 2, "truncated": true, "scores": {"alarm": 0.9}},
        "similarity": {"score": 3.5, "version": 1, "truncated": false},
        "slots": {"spans": [{"start": 0, "end": 4, "text": "wake", "label": "x", "score": 0.5}],
                  "words": [{"start": 0, "end": 4, "scores": {"O": 0.5}}], "version": 1, "truncated": false},
        "emotion": {"labels": [{"label": "joy", "score": 0.8}], "version": 1, "truncated": false},
        "paraphrase": {"error": "needs a pair"}}}"""
    )
    assert (answers["intent"].label, answers["intent"].score, answers["intent"].version) == ("alarm", 0.9, 2)
    assert answers["intent"].truncated
    assert answers["intent"].scores == {"alarm": 0.9}
    assert (answers["similarity"].label, answers["similarity"].score) == (None, 3.5)
    assert answers["slots"].spans == (Span(start=0, end=4, text="wake", label="x", score=0.5),)
    assert answers["slots"].words == (Word(start=0, end=4, scores={"O": 0.5}),)
    assert answers["emotion"].labels == (ScoredLabel(label="joy", score=0.8),)
    assert answers["paraphrase"].error == "needs a pair"


def test_keys_of_a_newer_server_are_ignored() -> None:
    answers = read_row('{"took": 3, "tasks": {"a": {"label": "x", "score": 1, "canary": true}}}')
    assert answers["a"].model_dump(exclude_unset=True) == {"label": "x", "score": 1.0}


def test_no_spans_is_not_the_same_as_no_tagging() -> None:
    answers = read_row('{"tasks": {"slots": {"spans": []}, "intent": {"label": "x"}}}')
    assert answers["slots"].spans == ()
    assert answers["intent"].spans is None


def test_an_answer_cannot_be_changed() -> None:
    answer = read_row('{"tasks": {"a": {"label": "x"}}}')["a"]
    with pytest.raises(ValidationError):
        answer.label = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("row", "place"),
    [("nonsense", "result: "), ("{}", "tasks: "), ('{"tasks": {"a": {"score": "x"}}}', "tasks.a.score: ")],
)
def test_another_form_is_a_failure_of_the_server_that_names_the_place(row: str, place: str) -> None:
    with pytest.raises(ServerFailed, match=f"cannot be read .{place}"):
        read_row(row)


def test_a_lost_row_is_noticed() -> None:
    with pytest.raises(ServerFailed, match="1 results for 2 texts"):
        read_rows(['{"tasks": {}}'], 2)
