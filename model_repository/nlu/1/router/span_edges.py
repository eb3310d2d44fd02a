"""A span's first and last word -> its start and end, without the marks attached to them."""

import unicodedata
from functools import cached_property, lru_cache

from router.abbreviations import keeps_its_dot
from router.word_core import core_start, is_attached_before, is_mark, is_marks_alone, is_modifier

_KEYCAP = "\u20e3"
_ABBREVIATION_SIGNS = "\u05f3\u0970\u0e2f"  # Hebrew, Devanagari, Thai


def trimmed(text: str, first: tuple[int, int], last: tuple[int, int]) -> tuple[int, int]:
    """Returns the start and end, in characters, of the span from the word `first` to the word `last` (start, end).

    A word of marks alone stays whole: it was tagged as part of the span, and is attached to nothing.
    """
    if text[first[0]].isalnum() and text[last[1] - 1].isalnum():  # the usual case, decided at once
        return first[0], last[1]
    edges = _Edges(text, first, last)
    while edges.trim():
        pass
    return edges.left, edges.right


class _Edges:
    """The span text[left:right] while it is trimmed."""

    def __init__(self, text: str, first: tuple[int, int], last: tuple[int, int]) -> None:
        self.left, self.right = first[0], last[1]
        self._text = text
        self._start, self._end = self.left, self.right
        self._first_end, self._last_start = first[1], last[0]
        self._is_left_fixed = is_marks_alone(text, *first)
        self._is_right_fixed = is_marks_alone(text, *last)

    def trim(self) -> bool:
        """Removes what hangs on the end, then on the start, then on both. Returns whether anything did.

        More may hang on the end once the start is trimmed: "(Björk)" loses its second bracket with its first.
        """
        before = self.left, self.right
        while self._trim_end():
            pass
        while self._trim_start():
            pass
        self._trim_symbols()
        return (self.left, self.right) != before

    def _trim_end(self) -> bool:
        if self._is_right_fixed:
            return False
        base = self.right - 1
        while is_modifier(self._text[base]) and base > self._last_start:
            base -= 1
        if self._belongs_at_end(base):
            return False
        self.right = base
        return True

    def _trim_start(self) -> bool:
        if self._is_left_fixed or not is_attached_before(self._text, self.left, self._first_end):
            return False
        partner = self._partners.get(self.left) if _is_paired(self._text[self.left]) else None
        # "(500) Days" keeps its bracket. "(Björk)" loses both.
        if partner is not None and partner < self.right - (0 if self._is_right_fixed else 1):
            return False
        self.left += 1
        while is_modifier(self._text[self.left]):
            self.left += 1
        return True

    def _trim_symbols(self) -> None:
        """Removes one symbol from both sides if it encloses the span: _peter_, <5>."""
        if self._is_left_fixed or self._is_right_fixed or self.right - self.left < 3:
            return
        one, other = self._text[self.left], self._text[self.right - 1]
        inner = self._text[self.left + 1], self._text[self.right - 2]
        are_partners = one == other or (unicodedata.mirrored(one) and unicodedata.mirrored(other))
        is_attached = not any(character.isspace() or is_modifier(character) for character in inner)
        if _encloses(one) and _encloses(other) and are_partners and is_attached and self._has_letters:
            self.left, self.right = self.left + 1, self.right - 1

    def _belongs_at_end(self, base: int) -> bool:
        text, mark = self._text, self._text[base]
        if not is_mark(mark) or mark in _ABBREVIATION_SIGNS or _KEYCAP in text[base + 1 : min(base + 3, self.right)]:
            return True
        if unicodedata.bidirectional(mark) == "ET" and text[base - 1].isalnum():  # 50%, C#
            return True
        if unicodedata.category(mark) == "Sm" and text[base - 1].isdigit():  # a factor
            return True
        plain = unicodedata.normalize("NFKC", mark)
        if plain == ".":
            return keeps_its_dot(text, self._last_core, base + 1)
        if plain in ("/", "\\"):  # of an address or a path, which has others
            return text.find(mark, max(self.left, self._last_start) + 1, base) != -1
        partner = self._partners.get(base) if _is_paired(mark) else None
        # "song (live)" keeps its bracket.
        return partner is not None and partner > self.left - (1 if self._is_left_fixed else 0)

    @cached_property
    def _last_core(self) -> int:
        return core_start(self._text, self._last_start, self._end)

    @cached_property
    def _has_letters(self) -> bool:
        return any(character.isalnum() for character in self._text[self._start : self._end])

    @cached_property
    def _partners(self) -> dict[int, int]:
        """Each bracket's and quote's partner within the span, by position."""
        partners: dict[int, int] = {}
        opened: dict[str, list[int]] = {}  # by the kind of bracket or quote
        for index in range(self._start, self._end):
            mark = self._text[index]
            if mark.isalnum() or not _is_paired(mark):
                continue
            kind = _kind(mark)
            opens, closes = self._role(index)
            if closes and opened.get(kind):
                begin = opened[kind].pop()
                partners |= {begin: index, index: begin}
            elif opens:
                opened.setdefault(kind, []).append(index)
        return partners

    def _role(self, index: int) -> tuple[bool, bool]:
        """Whether the mark may open and may close.

        A quote's place decides, because languages use the same quotes in either direction. An apostrophe in a word does
        neither.
        """
        category = unicodedata.category(self._text[index])
        if not _is_quote(self._text[index]):
            return category == "Ps", category == "Pe"
        before = self._text[index - 1] if index > self._start else " "
        after = self._text[index + 1] if index + 1 < self._end else " "
        return not before.isalnum() and not after.isspace(), not after.isalnum() and not before.isspace()


@lru_cache(4096)
def _is_paired(mark: str) -> bool:
    return unicodedata.category(mark) in ("Ps", "Pe") or _is_quote(mark)


@lru_cache(4096)
def _is_quote(mark: str) -> bool:
    category = unicodedata.category(mark)
    if category in ("Pi", "Pf"):
        return True
    name = unicodedata.name(mark, "")
    return category[0] == "P" and ("QUOTATION MARK" in name or "APOSTROPHE" in name)


@lru_cache(4096)
def _kind(mark: str) -> str:
    """Returns what the two marks of a pair have in common, from their names in Unicode."""
    name = unicodedata.name(mark, mark)
    if _is_quote(mark):
        return "single quote" if "SINGLE" in name or "APOSTROPHE" in name else "double quote"
    return name.replace("LEFT", "").replace("RIGHT", "")


def _encloses(character: str) -> bool:
    """True for a connector or mathematical symbol that is not a sign of a number."""
    category, bidirectional = unicodedata.category(character), unicodedata.bidirectional(character)
    return category in ("Pc", "Sm") and bidirectional not in ("ET", "ES")
