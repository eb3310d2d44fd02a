import numpy as np
import pytest
import text_tokenizer
from text_tokenizer import LENGTH_BUCKETS, CutEncoding, TextTokenizer, bucket, is_truncated, pad
from tokenizers import Tokenizer


def _truncating_file(tokenizer_file, tmp_path, max_length):
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    return file


@pytest.mark.parametrize(("length", "expected"), [(1, 8), (8, 8), (9, 16), (33, 48), (512, 512)])
def test_a_length_is_rounded_up_to_its_bucket_and_never_down(length, expected):
    assert bucket(length, 512) == expected


@pytest.mark.parametrize(("length", "expected"), [(33, 40), (40, 40), (20, 24)])
def test_no_bucket_is_longer_than_the_maximum_length(length, expected):
    assert bucket(length, 40) == expected


def test_buckets_ascend_so_that_the_first_that_fits_is_the_smallest():
    assert list(LENGTH_BUCKETS) == sorted(set(LENGTH_BUCKETS))


def test_padding_is_masked_and_the_tokens_stand_at_the_left(tokenizer_file):
    short, long = TextTokenizer(tokenizer_file).encode([("ab", None), ("ab", "cde")])

    arrays = pad([short, long], 10)

    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), ((2, 10), np.int64)
    )
    assert arrays["input_ids"][0].tolist() == [*short.ids, *[0] * 6]
    assert arrays["attention_mask"].tolist() == [[1] * 4 + [0] * 6, [1] * 8 + [0] * 2]
    assert arrays["token_type_ids"].tolist() == [[0] * 10, [0] * 4 + [1] * 4 + [0] * 2]


def test_a_pair_of_none_is_a_single_text_and_an_empty_pair_is_a_pair(tokenizer_file):
    single, pair = TextTokenizer(tokenizer_file).encode([("ab", None), ("ab", "")])

    assert single.tokens == ["[CLS]", "a", "##b", "[SEP]"]
    assert pair.tokens == ["[CLS]", "a", "##b", "[SEP]", "[SEP]"]


def test_the_file_says_where_to_truncate_unless_the_caller_does(tokenizer_file, tmp_path):
    file = _truncating_file(tokenizer_file, tmp_path, 6)

    (as_file,) = TextTokenizer(file).encode([("abcdefgh", None)])
    (as_asked,) = TextTokenizer(file, max_length=9).encode([("abcdefgh", None)])

    assert as_file.tokens == ["[CLS]", "a", "##b", "##c", "##d", "[SEP]"]
    assert len(as_asked.ids) == 9


def test_a_text_that_fits_to_the_last_token_is_not_truncated_and_one_token_more_is(tokenizer_file):
    fits, too_long = TextTokenizer(tokenizer_file, max_length=6).encode([("abcd", None), ("abcde", None)])

    assert (len(fits.ids), is_truncated(fits)) == (6, False)
    assert (len(too_long.ids), is_truncated(too_long)) == (6, True)


@pytest.mark.parametrize("pair", [("ab", "cdefghijk"), ("cdefghijk", "ab")])
def test_the_longer_text_of_a_pair_is_cut_and_it_counts_as_truncated(tokenizer_file, pair):
    (encoding,) = TextTokenizer(tokenizer_file, max_length=9).encode([pair])

    short = "a ##b" if pair[0] == "ab" else "c ##d ##e ##f"
    assert " ".join(encoding.tokens).startswith(f"[CLS] {short} [SEP]")
    assert len(encoding.ids) == 9
    assert is_truncated(encoding)


def test_of_a_text_that_is_cut_nothing_beyond_the_cut_is_kept_and_the_rest_is_as_it_was(tokenizer_file):
    texts = [("ab " * 10_000, None), ("ab", None), ("ab", "cd " * 500)]

    long, short, pair = TextTokenizer(tokenizer_file, 16).encode(texts)

    whole = Tokenizer.from_file(str(tokenizer_file))
    whole.enable_truncation(16, strategy="longest_first")
    for (text, other), encoding in zip(texts, (long, short, pair), strict=True):
        expected = whole.encode(text, other)
        assert (encoding.ids, encoding.type_ids) == (expected.ids, expected.type_ids)
        assert encoding.offsets == expected.offsets
        assert is_truncated(encoding) == bool(expected.overflowing)
    assert isinstance(long, CutEncoding)
    assert isinstance(pair, CutEncoding)
    assert not isinstance(short, CutEncoding)


def test_texts_that_are_tokenized_in_portions_keep_their_order(tokenizer_file, monkeypatch):
    monkeypatch.setattr(text_tokenizer, "_CHARACTERS_AT_ONCE", 10)
    texts = [("a" * length, "b" if length % 2 else None) for length in (1, 4, 20, 3, 3, 3, 30, 1)]

    found = TextTokenizer(tokenizer_file).encode(texts)

    monkeypatch.undo()
    assert [encoding.ids for encoding in found] == [one.ids for one in TextTokenizer(tokenizer_file).encode(texts)]
    assert TextTokenizer(tokenizer_file).encode([]) == []
