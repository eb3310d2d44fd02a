"""The core of a word: where it begins behind the marks attached to it, and which marks those are.

Training and the router each hold a copy of this file (training/word_core.py, router/word_core.py), because the router
imports nothing from the project. A test keeps the copies equal. docs/serving.md has the rule and examples.
"""

import unicodedata
from functools import lru_cache

_JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner: parts of words in Persian and Indic scripts, and of emoji
_KEYCAP = "\u20e3"  # makes a keycap emoji of # and *
_SHARP = "\u266f"  # F♯, a mathematical symbol in Unicode
_NAMES_BEGIN_WITH = "@\u00a7"  # @name, §5


def core_start(text: str, start: int, end: int) -> int:
    """Returns where the core of the word text[start:end] begins. A word of marks alone is its own core."""
    index = start
    while index < end:
        if text[index].isalnum():  # the usual case, decided at once
            return index
        if is_modifier(text[index]) or is_attached_before(text, index, end):
            index += 1
        else:
            return index
    return start


def reaches_core(token: tuple[int, int], core: int) -> bool:
    """True if a token has a character at or behind `core`, the start of a word's core.

    token: its character offsets, which are empty for special tokens. They may begin before the word: with Metaspace and
    byte-level tokenizers at the blank, and if one token spans several words.
    """
    first, end = token
    return first < end and end > core


def is_marks_alone(text: str, start: int, end: int) -> bool:
    """True if the word text[start:end] has no character but marks, such as "?!"."""
    return all(is_mark(text[index]) or is_modifier(text[index]) for index in range(start, end))


def is_attached_before(text: str, index: int, end: int) -> bool:
    """True if text[index] is a mark that does not belong to the rest of its word, text[index + 1:end].

    These belong to the word: signs of numbers and tags (#tag, -5, .5, <5), an @ or §, and the beginning of a path.
    """
    mark, following = text[index], text[index + 1 : min(index + 3, end)]
    if not is_mark(mark):
        return False
    if _KEYCAP in following:
        return False
    plain = unicodedata.normalize("NFKC", mark)  # full-width forms are read as their plain ones
    bidirectional = unicodedata.bidirectional(mark)
    if following[:1].isalnum() or following[:1] == "_":
        if bidirectional == "ET" or plain in _NAMES_BEGIN_WITH:
            return False
        if plain == ".":
            return index > 0 and text[index - 1] == mark  # of "...five", but not of ".5" and ".net"
    if bidirectional == "ES":  # a minus
        number = following[1:] if following and unicodedata.category(following[0]) == "Sc" else following[:1]
        return not number.isdigit()
    if unicodedata.category(mark) == "Sm":
        return not following[:1].isdigit() and following[:1] != "/"
    if plain in ("/", "\\"):
        return text.find(mark, index + 1, end - 1) == -1
    return True


@lru_cache(4096)
def is_mark(character: str) -> bool:
    """True for punctuation, most mathematical symbols, modifier symbols such as a backtick, and invisible characters.

    Unicode's general categories decide: P except Pc (connectors such as _), Sm with the bidirectional class ON (<, ~,
    not the signs of numbers), Sk, Cc and Cf. Other symbols ($, +, °, emoji) carry meaning: they are not marks.
    """
    category = unicodedata.category(character)
    if category[0] == "P":
        return category != "Pc"
    if category == "Sm":
        return unicodedata.bidirectional(character) == "ON" and character != _SHARP
    if category == "Sk":
        return not unicodedata.name(character, "").startswith("EMOJI MODIFIER")
    if category in ("Cc", "Cf"):
        return character not in _JOINERS and not 0xE0020 <= ord(character) <= 0xE007F  # tags end the emoji of a flag
    return False


@lru_cache(4096)
def is_modifier(character: str) -> bool:
    """True if the character belongs to the one before it: combining marks, variation selectors and joiners."""
    return character in _JOINERS or unicodedata.category(character)[0] == "M"
