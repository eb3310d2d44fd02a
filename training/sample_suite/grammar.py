"""Expands templates with slots into words with BIO tags.

The notation of a template: `[a|b|]` is one of the alternatives, and can be nested; `<name>` is a phrase; `{name}` is a
slot, whose words are tagged. A slot inside a slot's value belongs to the outer slot. A punctuation mark is a word.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from training.sample_suite.templates import TEMPLATES
from training.sample_suite.vocabulary import PHRASES, SLOTS

MAX_WORDS = 20
MARKS = (",", ".", "!", "?")
DOMAINS = {intent: domain for domain, intents in TEMPLATES.items() for intent in intents}

_ASKING = ("could", "can", "would", "what")
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_PHRASE = re.compile(r"<(\w+)>")
_SLOT = re.compile(r"\{(\w+)\}")
_SLOT_OR_WORD = re.compile(r"\{(\w+)\}|\S+")


class Word(NamedTuple):
    text: str
    tag: str = "O"


@dataclass(frozen=True)
class Utterance:
    """values: slot -> its text, so that a follow-up can repeat it."""

    words: tuple[Word, ...]
    intent: str
    values: Mapping[str, str]

    @property
    def domain(self) -> str:
        return DOMAINS[self.intent]


class Grammar:
    """Draws utterances with `rng`. held_out: also uses the third of all items that train never sees."""

    def __init__(self, rng: random.Random, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out

    def pick(self, items: Sequence[str]) -> str:
        """Draws one of `items`; every third item only with `held_out`."""
        open_items = [item for place, item in enumerate(items) if self.held_out or place % 3 != 2]
        return self.rng.choice(open_items)

    def utter(self, intent: str, opener: str = "") -> Utterance:
        """Draws a request of `intent`. opener: a template that precedes it."""
        template = f"{opener} {self.pick(TEMPLATES[DOMAINS[intent]][intent])}"
        values: dict[str, str] = {}
        return Utterance(tuple(self.expand(template, values=values)), intent, values)

    def expand(
        self, template: str, phrases: Mapping[str, str] = PHRASES, values: dict[str, str] | None = None
    ) -> list[Word]:
        """Draws the words of `template`, and enters the text of each slot in `values`."""
        words: list[Word] = []
        for part in _SLOT_OR_WORD.finditer(self._choose(template, phrases)):
            slot = part.group(1)
            if slot is None:
                words.append(Word(part.group()))
                continue
            value = self.value(slot)
            if values is not None:
                values[slot] = value
            words += [Word(text, f"{'I' if i else 'B'}-{slot}") for i, text in enumerate(value.split())]
        return words

    def value(self, slot: str) -> str:
        value = self._choose(self.pick(SLOTS[slot]), PHRASES)
        return _SLOT.sub(lambda inner: self.value(inner.group(1)), value)

    def _choose(self, template: str, phrases: Mapping[str, str]) -> str:
        while named := _PHRASE.search(template):
            template = template[: named.start()] + phrases[named.group(1)] + template[named.end() :]
        while choice := _ALTERNATIVES.search(template):
            chosen = self.rng.choice(choice.group(1).split("|"))
            template = template[: choice.start()] + chosen + template[choice.end() :]
        return template

    def spell(self, words: Sequence[Word]) -> list[Word]:
        """Sets case and punctuation of `words`: tidy, hasty (lower case), or bare as from a speech recogniser."""
        style = self.rng.choice(("tidy", "hasty", "bare"))
        if style == "bare":
            return [Word(text.lower(), tag) for text, tag in words if text not in MARKS]
        if style == "hasty":
            kept = words[:-1] if words[-1].text in (".", "?") else words
            return [Word(text.lower(), tag) for text, tag in kept]
        spelled: list[Word] = []
        for text, tag in close(words):
            starts = not spelled or spelled[-1].text in (".", "!", "?")
            spelled.append(Word(text[0].upper() + text[1:] if starts or text == "i" else text, tag))
        return spelled


def close(words: Sequence[Word]) -> list[Word]:
    """Adds a question mark or full stop to `words` that end without a mark."""
    if words[-1].text in MARKS:
        return [*words]
    start = max((place + 1 for place, word in enumerate(words) if word.text in MARKS), default=0)
    return [*words, Word("?" if words[start].text in _ASKING else ".")]


def text_of(words: Sequence[Word]) -> str:
    """Joins `words` into running text: a mark follows the word before it without a space."""
    return re.sub(r" (?=[,.!?](?: |$))", "", " ".join(word.text for word in words))
