"""Every kind of tokenizer: training labels the tokens that the router reads, and no word is left without one."""

from pathlib import Path

import pytest
from router.spans import WORD, word_offsets
from text_tokenizer import TextTokenizer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from training.data.example import Example
from training.tokenization import NOT_SEEN, tokenize

CORPUS = [
    "fly from new york to rome on monday",
    "play some jazz by miles davis in the kitchen",
    "book a table for two at seven o'clock in paris",
    "Wake me up at 7:30 in St.Ives, please",
    "naïve café Äpfel Straße 東京 москва 😀",
]
TEXTS = [
    "fly to rome",
    "fly from new york to new york",
    "Rome",
    "a b c d",
    "play “jazz” (by) miles-davis!",
    "wake me at seven o'clock",
    "東京 to 京東 now",
    "café cafe\u0301 naïve 😀 👩\u200d👩\u200d👧 ok",
    "unseenword Zzyzx qqq to rome",
    "$5.50 to U.S. e-mail a.b@c.org",
    "москва to Äpfel",
    "in in in in in in",
]
SPECIAL = ["<s>", "</s>", "<unk>"]
TEMPLATE = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])


def _trained(tokenizer: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    tokenizer.post_processor = tokenizer.post_processor or TEMPLATE
    return tokenizer


def _unigram(pre_tokenizer: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    return _trained(tokenizer, trainer)


def _bpe(
    pre_tokenizer: pre_tokenizers.PreTokenizer, *, byte_level: bool = False, trim: bool | None = None
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=None if byte_level else "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if trim is not None:
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=trim), TEMPLATE])
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    return _trained(tokenizer, trainer)


def _word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=SPECIAL, show_progress=False)
    return _trained(tokenizer, trainer)


def _whole_text() -> Tokenizer:
    """Tokens of up to two words, such as "to rome"."""
    vocabulary = [
        ("<s>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("\u2581to\u2581rome", -1.0),
        ("\u2581new\u2581york", -1.0),
    ]
    vocabulary += [(letter, -5.0) for letter in "\u2581abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    tokenizer.post_processor = TEMPLATE
    return tokenizer


MAKERS = {
    "WordPiece": _word_piece,
    "Metaspace Unigram, blank always": lambda: _unigram(pre_tokenizers.Metaspace(prepend_scheme="always")),
    "Metaspace Unigram, blank first": lambda: _unigram(pre_tokenizers.Metaspace(prepend_scheme="first")),
    "Metaspace Unigram, blank never": lambda: _unigram(pre_tokenizers.Metaspace(prepend_scheme="never")),
    "Metaspace after WhitespaceSplit": lambda: _unigram(
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    ),
    "Metaspace BPE": lambda: _bpe(pre_tokenizers.Metaspace()),
    "Metaspace that does not split": _whole_text,
    "byte-level": lambda: _bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), byte_level=True),
    "byte-level, blank before the text": lambda: _bpe(pre_tokenizers.ByteLevel(add_prefix_space=True), byte_level=True),
    "byte-level, offsets trimmed": lambda: _bpe(
        pre_tokenizers.ByteLevel(add_prefix_space=True), byte_level=True, trim=True
    ),
    "byte-level, offsets not trimmed": lambda: _bpe(
        pre_tokenizers.ByteLevel(add_prefix_space=True), byte_level=True, trim=False
    ),
    "byte-level after a split at blanks": lambda: _bpe(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r" ?\S+"), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        byte_level=True,
    ),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_word_has_a_position_and_the_router_reads_it(maker: str, tmp_path: Path) -> None:
    tokenizer = MAKERS[maker]()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    served = TextTokenizer(tmp_path / "tokenizer.json", max_length=128).encode([(text, None) for text in TEXTS])
    examples = [_example(text) for text in TEXTS]
    for text, tokens, encoding in zip(TEXTS, tokenize(tokenizer, examples, 128), served, strict=True):
        assert NOT_SEEN not in tokens.word_positions, text
        found = {(start, end): position for start, end, position in word_offsets(text, encoding)}
        assert [found.get(match.span()) for match in WORD.finditer(text)] == tokens.word_positions, text
        assert tokens.ids == encoding.ids


@pytest.mark.parametrize("maker", MAKERS)
def test_words_that_are_cut_off_are_the_same_in_training_and_serving(maker: str, tmp_path: Path) -> None:
    tokenizer = MAKERS[maker]()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    served = TextTokenizer(tmp_path / "tokenizer.json", max_length=6).encode([(text, None) for text in TEXTS])
    examples = [_example(text) for text in TEXTS]
    for text, tokens, encoding in zip(TEXTS, tokenize(tokenizer, examples, 6), served, strict=True):
        found = {(start, end): position for start, end, position in word_offsets(text, encoding)}
        expected = [found.get(match.span(), NOT_SEEN) for match in WORD.finditer(text)]
        assert expected == tokens.word_positions, text


def _example(text: str) -> Example:
    words = tuple(match.span() for match in WORD.finditer(text))
    return Example(text, ("O",) * len(words), words=words)
