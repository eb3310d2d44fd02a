from typing import Any

import pytest

from training.data.example import Example
from training.data.rows import to_example
from training.errors import TrainingError
from training.kinds import Kind

WHERE = "folder/train.jsonl, line 7"


@pytest.mark.parametrize(
    ("row", "kind", "example"),
    [
        ({"text": "a b", "label": "x"}, Kind.CLASSIFICATION, Example("a b", "x")),
        ({"text": "a b", "label": 0}, Kind.CLASSIFICATION, Example("a b", "0")),
        ({"text": "a", "text_pair": "b", "label": 1}, Kind.PAIR_CLASSIFICATION, Example("a", "1", "b")),
        ({"text": "a", "text_pair": "b", "label": 2.5}, Kind.PAIR_REGRESSION, Example("a", 2.5, "b")),
        ({"text": "a", "text_pair": "b", "label": 5}, Kind.PAIR_REGRESSION, Example("a", 5.0, "b")),
        ({"text": "a", "label": ["x", "y"]}, Kind.MULTI_LABEL, Example("a", ("x", "y"))),
        ({"text": "a", "label": []}, Kind.MULTI_LABEL, Example("a", ())),
        (
            {"tokens": ["wake", "me", "o'clock"], "tags": ["O", "O", "B-time"]},
            Kind.TAGGING,
            Example("wake me o'clock", ("O", "O", "B-time"), words=((0, 4), (5, 7), (8, 15))),
        ),
        (
            {"tokens": ["play", "jazz"], "tags": ["O", "O"], "intent": "music"},
            Kind.CLASSIFICATION,
            Example("play jazz", "music"),
        ),
        ({"tokens": ["play", "jazz"], "label": "x", "intent": "y"}, Kind.CLASSIFICATION, Example("play jazz", "x")),
        ({"tokens": ["play", "jazz"], "label": ["x"]}, Kind.MULTI_LABEL, Example("play jazz", ("x",))),
        ({"text": "Play jazz!", "tokens": ["Play"], "label": "x"}, Kind.CLASSIFICATION, Example("Play jazz!", "x")),
    ],
)
def test_row_becomes_the_example(row: dict[str, Any], kind: Kind, example: Example) -> None:
    result = to_example(row, kind, WHERE)
    assert result == example
    assert type(result.label) is type(example.label)


def test_word_offsets_cut_the_words_out_of_the_text() -> None:
    tokens = ["Zoë's", "日本", "x", "New York"]
    example = to_example({"tokens": tokens, "tags": ["O"] * 4}, Kind.TAGGING, WHERE)
    assert [example.text[start:end] for start, end in example.words] == tokens


@pytest.mark.parametrize(
    ("row", "kind", "part"),
    [
        ({"label": "x"}, Kind.CLASSIFICATION, "`text` is missing"),
        ({"text": 3, "label": "x"}, Kind.CLASSIFICATION, "`text` must be a text, not 3"),
        ({"text": "a"}, Kind.CLASSIFICATION, "`label` is missing"),
        ({"text": "a", "label": None}, Kind.CLASSIFICATION, "not None"),
        ({"text": "a", "label": ""}, Kind.CLASSIFICATION, "`label` is empty"),
        ({"text": "a", "label": 1.5}, Kind.CLASSIFICATION, "not 1.5"),
        ({"text": "a", "label": True}, Kind.CLASSIFICATION, "not True"),
        ({"text": "a", "label": ["x"]}, Kind.CLASSIFICATION, "a name or an integer"),
        ({"text": "a", "label": "x"}, Kind.PAIR_CLASSIFICATION, "`text_pair` is missing"),
        ({"text": " ", "label": "x"}, Kind.CLASSIFICATION, "`text` is empty"),
        ({"text": "a", "text_pair": "b", "label": "x"}, Kind.CLASSIFICATION, "reads one text"),
        ({"text": "a", "text_pair": "b", "label": "2.5"}, Kind.PAIR_REGRESSION, "must be a number"),
        ({"text": "a", "text_pair": "b", "label": True}, Kind.PAIR_REGRESSION, "must be a number"),
        ({"text": "a", "text_pair": "b", "label": float("nan")}, Kind.PAIR_REGRESSION, "finite"),
        ({"text": "a", "text_pair": "b", "label": float("inf")}, Kind.PAIR_REGRESSION, "finite"),
        ({"text": "a", "label": "x"}, Kind.MULTI_LABEL, "a list of names"),
        ({"text": "a", "label": ["x", ""]}, Kind.MULTI_LABEL, "a list of names"),
        ({"tokens": ["a"]}, Kind.CLASSIFICATION, "`label` is missing"),
        ({"text": "a", "label": ["x", 1]}, Kind.MULTI_LABEL, "a list of names"),
        ({"tokens": ["a"], "tags": []}, Kind.TAGGING, "same length"),
        ({"tokens": ["a"], "tags": "O"}, Kind.TAGGING, "same length"),
        ({"tokens": ["a"]}, Kind.TAGGING, "same length"),
        ({"tokens": [], "tags": []}, Kind.TAGGING, "at least one token"),
        ({"tokens": "a", "tags": ["O"]}, Kind.TAGGING, "`tokens` must be a list"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, Kind.TAGGING, "at least one character"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, Kind.TAGGING, "not 3"),
        ({"tokens": ["a"], "tags": ["city"]}, Kind.TAGGING, "not 'city'"),
        ({"tokens": ["a"], "tags": ["B-"]}, Kind.TAGGING, "not 'B-'"),
        ({"tokens": ["a"], "tags": [0]}, Kind.TAGGING, "not 0"),
        ({"tokens": [1], "intent": "x"}, Kind.CLASSIFICATION, "not 1"),
        ({"tokens": "abc", "intent": "x"}, Kind.CLASSIFICATION, "`tokens` must be a list"),
    ],
)
def test_bad_row_is_refused_naming_file_line_and_what_is_wrong(row: dict[str, Any], kind: Kind, part: str) -> None:
    with pytest.raises(TrainingError) as error:
        to_example(row, kind, WHERE)
    assert str(error.value).startswith(WHERE + ": ")
    assert part in str(error.value)
