import numpy as np
import pytest

from training.adoption.tag_scheme import bio_labels, to_bio
from training.errors import TrainingError


def best(tags: list[str], wanted: list[str]) -> list[str]:
    """What our labels are for words that the original tags as `wanted`."""
    logits = np.zeros((len(wanted), len(tags)), dtype=np.float32)
    for word, tag in enumerate(wanted):
        logits[word, tags.index(tag)] = 9
    labels = bio_labels(tags, "m")
    return [labels[number] for number in to_bio(logits, tags, labels).argmax(axis=1)]


def test_bio_tags_in_any_order_become_ours() -> None:
    tags = ["I-b", "B-a", "O", "B-b"]  # no I-a
    assert bio_labels(tags, "m") == ("O", "B-b", "I-b", "B-a", "I-a")
    assert best(tags, ["O", "B-b", "I-b", "B-a"]) == ["O", "B-b", "I-b", "B-a"]


@pytest.mark.parametrize(("last", "single"), [("E", "S"), ("L", "U")])
def test_last_and_single_words_are_inside_and_begun(last: str, single: str) -> None:
    tags = ["O", "B-a", "I-a", f"{last}-a", f"{single}-a"]
    assert bio_labels(tags, "m") == ("O", "B-a", "I-a")
    assert best(tags, ["B-a", "I-a", f"{last}-a", f"{single}-a", "O"]) == ["B-a", "I-a", "I-a", "B-a", "O"]


def test_types_alone_begin_where_the_word_before_has_another() -> None:
    assert best(["a", "O", "b"], ["a", "a", "b", "O", "b"]) == ["B-a", "I-a", "B-b", "O", "B-b"]


def test_probabilities_are_kept_and_those_of_joined_tags_added() -> None:
    tags = ["O", "B-a", "I-a", "E-a", "S-a"]
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.15, 0.25]], dtype=np.float32)) + 7
    assert np.exp(to_bio(logits, tags, ("O", "B-a", "I-a")))[0].tolist() == pytest.approx([0.1, 0.45, 0.45], abs=1e-5)


def test_a_tag_that_the_original_does_not_know_is_nearly_impossible_but_finite() -> None:
    row = to_bio(np.zeros((1, 2), dtype=np.float32), ["O", "B-a"], ("O", "B-a", "I-a"))[0]
    assert np.isfinite(row).all()
    assert np.exp(row[2]) < 1e-8


def test_a_word_that_was_not_read_stays_unread_and_ends_a_span_of_types() -> None:
    logits = np.array([[9, 0], [np.nan, np.nan], [9, 0]], dtype=np.float32)
    result = to_bio(logits, ["a", "O"], ("O", "B-a", "I-a"))
    assert np.isnan(result[1]).all()
    assert result[[0, 2]].argmax(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["NOUN", "VERB"], r"tags words with NOUN, VERB: tags of spans are needed"),
        (["O"], "tags of spans are needed"),
        (["O", "B-a", "b"], "tags with and without a prefix"),
    ],
)
def test_tags_that_are_none_of_spans_are_refused(tags: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        bio_labels(tags, "m")
