"""Texts of exact lengths."""

import json
from statistics import median

import pytest
from errors import BenchError
from texts import TEXTS, lengths_of, make_texts, single_token_words
from tokenizers import Tokenizer


def word_tokenizer(words: int) -> Tokenizer:
    """Knows `words` whole words, a piece and a number; splits nothing it knows."""
    named = [
        f"w{chr(97 + number // 26 // 26)}{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}"
        for number in range(words)
    ]
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "##ing", "2024", *named]
    template = [{"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]")]
    template.insert(1, {"Sequence": {"id": "A", "type_id": 0}})
    return Tokenizer.from_str(
        json.dumps(
            {
                "version": "1.0",
                "added_tokens": [],
                "pre_tokenizer": {"type": "BertPreTokenizer"},
                "post_processor": {
                    "type": "TemplateProcessing",
                    "single": template,
                    "pair": template,
                    "special_tokens": {
                        name: {"id": name, "ids": [vocabulary.index(name)], "tokens": [name]}
                        for name in ("[CLS]", "[SEP]")
                    },
                },
                "model": {
                    "type": "WordPiece",
                    "unk_token": "[UNK]",
                    "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100,
                    "vocab": {word: number for number, word in enumerate(vocabulary)},
                },
            }
        )
    )


def test_every_text_has_its_length_in_tokens_and_no_two_are_the_same() -> None:
    tokenizer = word_tokenizer(600)
    lengths = [4, 16, 128] * 100

    texts = make_texts(lengths, tokenizer)

    assert [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)] == lengths
    assert len(set(texts)) == len(texts)


def test_texts_hold_neither_word_pieces_nor_numbers() -> None:
    assert not {"##ing", "2024", "[CLS]"} & set(single_token_words(word_tokenizer(600)))


def test_a_tokenizer_with_few_words_is_refused() -> None:
    with pytest.raises(BenchError, match="20 whole words"):
        single_token_words(word_tokenizer(20))


def test_the_mix_is_clipped_has_its_median_and_is_the_same_each_time() -> None:
    lengths = lengths_of("mix")

    assert len(lengths) == TEXTS
    assert min(lengths) >= 4
    assert max(lengths) <= 128
    assert 15 <= median(lengths) <= 17
    assert len(set(lengths)) > 20
    assert lengths == lengths_of("mix")


@pytest.mark.parametrize("tokens", ["3", "", "-16", "long"])
def test_a_wrong_length_is_named(tokens: str) -> None:
    with pytest.raises(BenchError, match=repr(tokens)):
        lengths_of(tokens)
