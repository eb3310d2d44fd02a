from types import SimpleNamespace

import numpy as np
import pytest
from router.answer_from_logits import read_answer
from router.registry import Version
from text_tokenizer import TextTokenizer


def _version(kind, *labels):
    return Version("task", 3, kind, labels, 2, 16, "branch_task", "trunk")


@pytest.fixture
def ask(tokenizer_file):
    """(version, logits, text, all_scores) -> the answer."""

    def ask(version, logits, text="ab cd", all_scores=False):
        (encoding,) = TextTokenizer(tokenizer_file, version.max_length).encode([(text, None)])
        row = SimpleNamespace(text=text, pair=None, all_scores=all_scores)
        return read_answer(version, row, encoding, np.array(logits, dtype=np.float32))

    return ask


@pytest.mark.parametrize("kind", ["classification", "pair_classification"])
def test_classification_answers_the_likeliest_label_with_its_probability(ask, kind):
    logits = np.log([0.1, 0.7, 0.2])

    assert ask(_version(kind, "a", "b", "c"), logits) == {
        "label": "b",
        "score": pytest.approx(0.7, abs=1e-5),
        "version": 3,
        "truncated": False,
    }


def test_classification_with_all_scores_names_each_label(ask):
    result = ask(_version("classification", "a", "b", "c"), np.log([0.1, 0.7, 0.2]), all_scores=True)

    assert result["scores"] == pytest.approx({"a": 0.1, "b": 0.7, "c": 0.2}, abs=1e-5)
    assert result["score"] == result["scores"]["b"]


def test_great_logits_do_not_overflow(ask):
    with np.errstate(all="raise", under="ignore"):
        result = ask(_version("classification", "a", "b"), [1000.0, -1000.0], all_scores=True)

    assert result["scores"] == {"a": 1.0, "b": 0.0}


def test_regression_answers_the_bare_value_whatever_scores_are_asked(ask):
    result = ask(_version("pair_regression"), [3.2512345], all_scores=True)

    assert result == {"score": pytest.approx(3.251235, abs=1e-6), "version": 3, "truncated": False}


def test_multi_label_answers_every_label_above_one_half_and_no_other(ask):
    version = _version("multi_label", "a", "b", "c", "d")

    result = ask(version, [2.0, -2.0, 0.0, 0.1])

    assert [label["label"] for label in result["labels"]] == ["a", "d"]  # c is at one half exactly
    assert result["labels"][0]["score"] == pytest.approx(0.880797, abs=1e-6)
    assert "scores" not in result


def test_multi_label_with_all_scores_holds_those_below_the_threshold_too(ask):
    result = ask(_version("multi_label", "a", "b"), [-2.0, -3.0], all_scores=True)

    assert result["labels"] == []
    assert result["scores"] == pytest.approx({"a": 0.119203, "b": 0.047426}, abs=1e-6)


def _tag_logits(*tags, labels=("O", "B-x", "I-x")):
    """One row per token; a tag's own logit is 5 and the others' 0."""
    return [[5.0 * (label == tag) for label in labels] for tag in tags]


def test_tagging_reads_the_first_sub_word_of_each_word_only(ask):
    version = _version("tagging", "O", "B-x", "I-x")
    # [CLS] a ##b c ##d [SEP]: the tags of the other tokens would be further spans.
    logits = _tag_logits("B-x", "O", "B-x", "B-x", "O", "B-x")

    result = ask(version, logits)

    score = pytest.approx(np.exp(5) / (np.exp(5) + 2), abs=1e-5)
    assert result == {
        "spans": [{"start": 3, "end": 5, "text": "cd", "label": "x", "score": score}],
        "version": 3,
        "truncated": False,
    }


def test_tagging_with_all_scores_gives_every_words_tag_scores(ask):
    version = _version("tagging", "O", "B-x", "I-x")

    result = ask(version, _tag_logits("O", "B-x", "O", "I-x", "O", "O"), all_scores=True)

    assert [(word["start"], word["end"]) for word in result["words"]] == [(0, 2), (3, 5)]
    assert [max(word["scores"], key=word["scores"].get) for word in result["words"]] == ["B-x", "I-x"]
    assert all(sum(word["scores"].values()) == pytest.approx(1, abs=1e-5) for word in result["words"])
    assert result["spans"][0]["text"] == "ab cd"


def test_tagging_of_a_text_without_any_word_that_has_tokens_has_no_spans(ask):
    result = ask(_version("tagging", "O", "B-x", "I-x"), _tag_logits("B-x", "B-x"), text="\u200b", all_scores=True)

    assert (result["spans"], result["words"]) == ([], [])


def test_padding_beyond_the_texts_own_tokens_is_not_read(ask):
    version = _version("tagging", "O", "B-x", "I-x")
    own = _tag_logits("O", "B-x", "O", "O", "O", "O")

    assert ask(version, own + _tag_logits("B-x", "B-x", "B-x")) == ask(version, own)


def test_a_cut_text_is_answered_and_says_so(ask):
    result = ask(_version("classification", "a", "b"), [0.0, 1.0], text="abcdefghijklmnopqrstuvwxyz")

    assert (result["label"], result["truncated"]) == ("b", True)
