import pytest

from training.data.example import Example
from training.data.rows import to_example
from training.encoder import Encoder
from training.kinds import Kind
from training.tokenization import NOT_SEEN, Tokens, tokenize


def words_example(*words: str) -> Example:
    return to_example({"tokens": list(words), "tags": ["O"] * len(words)}, Kind.TAGGING, "here")


def pieces(encoder: Encoder, tokens: Tokens) -> list[str]:
    return [encoder.tokenizer.id_to_token(one) for one in tokens.ids]


def test_pair_gets_special_tokens_and_segment_numbers(encoder: Encoder) -> None:
    (tokens,) = tokenize(encoder.tokenizer, [Example("good film", "x", "in rome")], 24)
    assert pieces(encoder, tokens) == ["[CLS]", "good", "film", "[SEP]", "in", "rome", "[SEP]"]
    assert tokens.types == [0, 0, 0, 0, 1, 1, 1]
    assert tokens.word_positions == []


def test_word_positions_are_first_sub_words_also_with_punctuation_inside_a_word(encoder: Encoder) -> None:
    (tokens,) = tokenize(encoder.tokenizer, [words_example("play", "o'clock", "St.Ives", "rome")], 64)
    got = pieces(encoder, tokens)
    assert [got[position] for position in tokens.word_positions] == ["play", "o", "s", "rome"]
    assert got.count("'") == got.count(".") == 1
    assert tokens.word_positions == [1, 2, got.index("'") + 6, len(got) - 2]


def test_marks_in_front_of_a_word_do_not_take_its_tag_and_marks_alone_keep_theirs(encoder: Encoder) -> None:
    (tokens,) = tokenize(encoder.tokenizer, [words_example('"play', "(jazz)", "'", "...rome", "-x", "#good")], 64)
    got = pieces(encoder, tokens)
    assert [got[position] for position in tokens.word_positions] == ["play", "jazz", "'", "rome", "x", "#"]


def test_word_without_a_token_is_not_seen_and_shifts_no_other(encoder: Encoder) -> None:
    example = words_example("play", "\u200b", "jazz", "\x00", "rome")
    (tokens,) = tokenize(encoder.tokenizer, [example], 24)
    assert pieces(encoder, tokens) == ["[CLS]", "play", "jazz", "rome", "[SEP]"]
    assert tokens.word_positions == [1, NOT_SEEN, 2, NOT_SEEN, 3]


def test_words_cut_off_are_not_seen_and_a_word_cut_in_half_is(encoder: Encoder) -> None:
    example = words_example("play", "xyz", "jazz", "rome")
    (tokens,) = tokenize(encoder.tokenizer, [example], 5)
    assert pieces(encoder, tokens) == ["[CLS]", "play", "x", "##y", "[SEP]"]
    assert tokens.word_positions == [1, 2, NOT_SEEN, NOT_SEEN]


def test_accents_and_capitals_do_not_shift_offsets(encoder: Encoder) -> None:
    (tokens,) = tokenize(encoder.tokenizer, [words_example("É́", "JAZZ", "Zoë", "Rome")], 24)
    got = pieces(encoder, tokens)
    assert [got[position] for position in tokens.word_positions] == ["e", "jazz", "z", "rome"]


@pytest.mark.parametrize("max_length", [4, 7, 24])
def test_nothing_is_longer_than_max_length_and_the_longer_text_is_cut_first(encoder: Encoder, max_length: int) -> None:
    examples = [Example("good " * 40, "x"), Example("good " * 40, "x", "bad"), Example("good", "x", "bad " * 40)]
    single, *pairs = tokenize(encoder.tokenizer, examples, max_length)
    assert len(single.ids) == max_length
    for tokens in pairs:
        got = pieces(encoder, tokens)
        assert len(got) == max_length == len(tokens.types)
        assert got.count("[SEP]") == 2
    if max_length > 4:  # 4 has room for one word beside [CLS] and two [SEP]
        assert [pieces(encoder, tokens).count(one) for tokens, one in zip(pairs, ("bad", "good"), strict=True)] == [
            1,
            1,
        ]


def test_the_callers_tokenizer_is_left_without_truncation(encoder: Encoder) -> None:
    tokenize(encoder.tokenizer, [Example("good " * 40, "x")], 8)
    assert encoder.tokenizer.truncation is None
    assert len(encoder.tokenizer.encode("good " * 40).ids) == 42
