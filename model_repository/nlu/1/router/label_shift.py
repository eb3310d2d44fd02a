"""How far what a canary answers is from what the live version answers.

A canary that says "alarm" to everything makes no error, and is quick.

Each text is counted once for each version, whoever asks it how often: callers ask the same again and again, and all
askings of one text go to the same version, so that counting them would compare texts and not versions.
"""

import math
from collections.abc import Sequence

# The probability with which chance alone may show as a shift, at most, in one comparison.
_CHANCE = 1e-6
_MOST_TEXTS = 20_000  # of which the hashes are kept, a megabyte or two


class LabelSample:
    """The labels that one version has answered, and for how many texts."""

    def __init__(self, most: int) -> None:
        """most: number of texts beyond which the older ones count half."""
        self.counts: dict[str, float] = {}
        self.texts = 0.0
        self._most = min(most, _MOST_TEXTS)
        self._known: set[int] = set()
        self._older: set[int] = set()

    def add(self, text: int, labels: Sequence[str]) -> bool:
        """Adds the answer to a text, given by its hash. Returns False if the text was counted a short time ago."""
        if text in self._known or text in self._older:
            return False
        self._known.add(text)
        self.texts += 1
        for label in labels:
            self.counts[label] = self.counts.get(label, 0.0) + 1
        if self.texts > self._most:
            self.texts /= 2
            self.counts = {label: number / 2 for label, number in self.counts.items()}
            self._older, self._known = self._known, set()
        return True

    def has(self, texts: int) -> bool:
        """Whether it has so many texts, or as many as are left when it has made the older ones count half."""
        return self.texts >= min(texts, self._most / 2)

    def shares(self) -> dict[str, float]:
        """Returns each label's share (0..1) of all labels answered."""
        total = sum(self.counts.values())
        return {label: number / total for label, number in self.counts.items()}


def shift_beyond_chance(canary: LabelSample, live: LabelSample) -> tuple[float, float]:
    """Returns the total variation distance (0..1) of two distributions of labels, and what chance may add to it.

    It is half the sum of the differences of all labels' shares: 0 if they are alike, 1 if they have no label in common.
    Of two samples of one distribution it is not 0 either. Its mean is about half the sum over the labels of
    sqrt(2/pi * p * (1 - p) * (1/n + 1/m)), and it exceeds its mean by t with a probability of at most
    exp(-2 * t^2 / (1/n + 1/m)) (McDiarmid's inequality), for samples of n and m texts with one label each.
    """
    first, second = canary.shares(), live.shares()
    labels = first.keys() | second.keys()
    distance = sum(abs(first.get(label, 0.0) - second.get(label, 0.0)) for label in labels) / 2
    spread = 1 / canary.texts + 1 / live.texts
    texts = canary.texts + live.texts
    together = (
        (first.get(label, 0.0) * canary.texts + second.get(label, 0.0) * live.texts) / texts for label in labels
    )
    mean = sum(math.sqrt(2 / math.pi * share * (1 - share) * spread) for share in together) / 2
    return distance, mean + math.sqrt(math.log(1 / _CHANCE) / 2 * spread)
