from pathlib import Path

import pytest
from router import word_core
from router.spans import WORD, word_offsets
from tiny_tokenizer import LETTERS, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import training.word_core
from training.tokenization import NOT_SEEN, first_sub_words

PUNCTUATION = "„“”»«¿?¡!「」（）—…‘’‹›*`\"'([{#@$-.+/"


def test_training_and_the_router_find_the_core_in_the_same_way():
    of_the_router, of_training = Path(word_core.__file__), Path(training.word_core.__file__)

    assert of_the_router != of_training
    assert of_the_router.read_bytes() == of_training.read_bytes()


@pytest.mark.parametrize(
    ("word", "core"),
    [
        ("peter", 0),
        ("peter.", 0),
        ("„peter“", 1),
        ("»peter«", 1),
        ("¿peter?", 1),
        ("(“peter”)", 2),
        ("—peter", 1),
        ("...peter", 3),
        ("\u200bpeter", 1),
        ("‼\ufe0fpeter", 2),
        ("'s", 1),
        ("#tag", 0),
        ("@name", 0),
        ("(#tag)", 1),
        ("$5", 0),
        ("-5", 0),
        (".5", 0),
        ("(-5)", 1),
        ("/home/peter", 0),
        ("~peter~", 1),
        ("<peter>", 1),
        ("->peter", 2),
        ("~/notes", 0),
        ("<5", 0),
        ("🙂", 0),
        ("#\ufe0f\u20e3", 0),
        ("?!", 0),
        ("(", 0),
        ("\u200b", 0),
    ],
)
def test_a_core_begins_behind_the_marks_attached_to_its_word(word, core):
    text = f"a {word} b"

    assert word_core.core_start(text, 2, 2 + len(word)) == 2 + core


def _word_piece() -> Tokenizer:
    return tiny_tokenizer(*LETTERS, *PUNCTUATION)


def _metaspace() -> Tokenizer:
    """A tokenizer whose tokens begin at the blank before a word, as those of multilingual MiniLM and e5."""
    pieces = ["<unk>", "<s>", "</s>", "▁", *"abcdefghijklmnopqrstuvwxyz", *PUNCTUATION, "▁peter", "▁call", "▁„", "▁(p"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0 if len(piece) > 1 else -5.0) for piece in pieces], 0, False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return tokenizer


def _byte_level(trim_offsets: bool) -> Tokenizer:
    """A byte-level BPE, whose tokens count the blank before a word or do not."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    merges = [("Ġ", "p"), ("Ġp", "e"), ("Ġpe", "t"), ("Ġ", "c"), ("Ġ", '"')]
    pieces = [*sorted(alphabet), *("".join(merge) for merge in merges)]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


TOKENIZERS = {
    "WordPiece": _word_piece(),
    "Metaspace": _metaspace(),
    "byte-level": _byte_level(trim_offsets=False),
    "byte-level, trimmed": _byte_level(trim_offsets=True),
}


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize(
    "text",
    [
        "call peter now",
        " call  peter\tnow ",
        "call „peter“ now",
        'call "peter" (peter) «peter».',
        "¿peter? ( peter ) — peter—",
        "peter's #tag @name $5 -5 .5",
        "«call peter»",
    ],
)
def test_every_word_is_read_at_its_core_and_trained_there_whichever_tokenizer(tokenizer, text):
    encoding = tokenizer.encode(text)
    words = [match.span() for match in WORD.finditer(text)]
    found = word_offsets(text, encoding)

    assert [(start, end) for start, end, _ in found] == words, "no word is without a token"
    assert first_sub_words(text, encoding, words) == [position for _, _, position in found]
    for start, end, position in found:
        first, last = encoding.offsets[position]
        core = word_core.core_start(text, start, end)
        assert first <= core < last, (text[start:end], encoding.tokens[position])


def test_a_quote_before_a_name_does_not_take_the_place_of_its_tag():
    """In the data a quote is a word of its own, with the tag O."""
    tokenizer = _word_piece()
    attached, apart = "call „peter“ now", "call „ peter “ now"
    words = [match.span() for match in WORD.finditer(apart)]
    encoding = tokenizer.encode(attached)

    assert encoding.ids == tokenizer.encode(apart).ids
    trained = first_sub_words(apart, tokenizer.encode(apart), words)
    assert [position for *_, position in word_offsets(attached, encoding)] == [trained[0], trained[2], trained[4]]
    assert NOT_SEEN not in trained
