"""An encoder's tokenizer: the file tokenizer.json, if transformers' AutoTokenizer reads texts the same way."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.errors import TrainingError, one_line

# Texts on which tokenizers differ: case, accents, scripts without blanks, emoji, punctuation, blanks, unknown words.
# ruff: noqa: RUF001 (ambiguous characters are wanted here)
_TEXTS = (
    "the quick brown fox jumps over the lazy dog",
    "Book a Table in New York for 8 PM",
    "HELLO World iPhone McDONALD",
    "Äpfel, Öl und Übermut: Straße, GROẞ",
    "crème brûlée à la façade, naïve coöperation",
    "e\u0301te\u0301 cafe\u0301 A\u030angstro\u0308m",
    "Привет, Москва! Ёлка",
    "Γειά σου Κόσμε",
    "東京に行きたい",
    "我想订一张去北京的机票",
    "서울에서 부산까지",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "İstanbul'da ığdır",
    "it's 5 o'clock, isn't it?",
    "U.S. $5.50 (approx.) e-mail: a.b@c.org; 50% #tag",
    "“quotes” ‘single’ «guillemets» … — –",
    "smile 😀 👩‍👩‍👧 🇩🇪 ❤️",
    "two  blanks\tand tab\nand line",
    " blank at both ends ",
    "no\u00a0break zero\u200bwidth soft\u00adhyphen",
    "full width ＡＢＣ １２３ ﬁ ligature ½ ²",
    "qzxjkvwqzx Xyzzyplugh antidisestablishmentarianism",
    "1234567890 3,141.59 007",
    "snake_case CamelCase kebab-case path/to\\file",
    "x" * 120,
    "\U0001d4d7\U0001d4ee control\x07char",
)
_PAIRS = (("a man Plays", "A Woman sings é"), ("東京 😀", "qzxj, (x)"))


def load_tokenizer(name: str, path: str | Path) -> Tokenizer:
    """Returns the tokenizer without padding and truncation. name: of the encoder, for messages.

    Raises TrainingError if the folder has no tokenizer, if it cannot read a text, or if AutoTokenizer gives other
    tokens for one of a fixed set of texts. Raises what the libraries raise for damaged files.
    """
    from transformers import AutoTokenizer  # here: it takes a second to import

    reference = AutoTokenizer.from_pretrained(path)
    backend = getattr(reference, "backend_tokenizer", None)
    if backend is None:
        raise TrainingError(
            f"the tokenizer of the encoder {name!r} has no fast form ({type(reference).__name__}): save a "
            "tokenizer.json beside its weights."
        )
    file = Path(path) / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file)) if file.is_file() else Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {*reference.all_special_tokens, *(token.content for token in _added(tokenizer) if token.special)}
    # Without any file, AutoTokenizer makes a tokenizer that knows only special tokens.
    if not tokenizer.get_vocab().keys() - special:
        raise TrainingError(
            f"the encoder {name!r} has no tokenizer: add its tokenizer.json, or its vocab.txt, to the folder."
        )
    _check_same(name, tokenizer, reference)
    return tokenizer


def _check_same(name: str, tokenizer: Tokenizer, reference: Any) -> None:
    has_types = "token_type_ids" in reference.model_input_names  # else the template in the file says them
    for text, pair in (*((text, None) for text in _TEXTS), *_PAIRS):
        try:
            encoding = tokenizer.encode(text) if pair is None else tokenizer.encode(text, pair)
        except Exception as error:  # tokenizers raises a plain Exception
            raise TrainingError(
                f"the tokenizer of the encoder {name!r} cannot read {text!r}: {one_line(error)}."
            ) from error
        try:
            expected = reference(text, pair, truncation=False, padding=False, verbose=False)
            ids = expected["input_ids"]
            types = expected["token_type_ids"] if has_types else encoding.type_ids
        except Exception:  # as above; a vocabulary that is not of the class that AutoTokenizer takes
            ids, types = None, None
        if (encoding.ids, encoding.type_ids) != (ids, types):
            raise TrainingError(
                f"the tokenizer.json of the encoder {name!r} and transformers' AutoTokenizer read {text!r} "
                "as different tokens, so it is not clear which ones the encoder was trained with: correct its "
                "tokenizer_config.json "
                '({"tokenizer_class": "PreTrainedTokenizerFast"} stands for tokenizer.json as it is).'
            )


def _added(tokenizer: Tokenizer) -> Any:
    return tokenizer.get_added_tokens_decoder().values()
