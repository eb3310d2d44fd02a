"""How far what a canary answers is from what the live version answers, by what all servers together have seen.

As in each router (model_repository/nlu/1/router/label_shift.py), texts are compared and not askings: callers ask the
same again and again, and all askings of one text go to the same version. A router counts a text once, but several
routers may have been asked it. Of such a sum, of which the text t makes w(t), McDiarmid's inequality says as much as of
W^2 / sum(w(t)^2) texts that were counted once each, where W is the sum of all w(t).
"""

import math
from dataclasses import dataclass, field

from build_tools.repository.replica_state import CandidateCounts

# The probability with which chance alone may show as a shift, at most, in one comparison.
_CHANCE = 1e-6


@dataclass
class LabelSums:
    """The labels that one version has answered, and for how many texts. They are fractions: older ones count less.

    texts: each counted once in each router. answers: of all askings.
    """

    texts: float = 0.0
    answers: float = 0.0
    counts: dict[str, float] = field(default_factory=dict)
    _last: dict[str, CandidateCounts] = field(default_factory=dict)  # by server

    def add(self, server: str, counts: CandidateCounts) -> None:
        """Adds what a server has counted since it was looked at the last time; the first time nothing.

        So both versions are compared over the same time: the live one may have been counted beside earlier canaries.
        """
        last = self._last.get(server, counts)
        if counts.texts < last.texts or counts.answers < last.answers:  # its routers were started again
            last = CandidateCounts()
        self._last[server] = counts
        self.texts += counts.texts - last.texts
        self.answers += counts.answers - last.answers
        for label, number in counts.labels.items():
            self.counts[label] = self.counts.get(label, 0.0) + number - last.labels.get(label, 0)

    @property
    def servers(self) -> int:
        """How many servers have been looked at. One that was started again is another one: it counts texts anew."""
        return len(self._last)

    def halve(self) -> None:
        """Makes what was seen until now count half."""
        self.texts /= 2
        self.answers /= 2
        self.counts = {label: number / 2 for label, number in self.counts.items()}

    def independent(self, routers: int) -> float:
        """Returns how many texts, counted once each, the sum is worth. routers: processes that may be asked a text.

        No text is counted more than once by each of R routers: that is the least. Texts of which few are asked twice
        are worth more: a text that is asked twice meets two routers R - 1 times as often as one twice, so sum(w^2)
        is at most W + R * (R - 1) * (askings of texts that the router knew).
        """
        if not self.texts:
            return 0.0
        repeated = max(0.0, self.answers - self.texts)
        return max(self.texts / routers, self.texts**2 / (self.texts + routers * (routers - 1) * repeated))

    def shares(self) -> dict[str, float]:
        """Returns each label's share (0..1) of all labels answered."""
        total = sum(self.counts.values())
        return {label: number / total for label, number in self.counts.items()}


def shift_beyond_chance(canary: LabelSums, live: LabelSums, routers: int) -> tuple[float, float]:
    """Returns the total variation distance (0..1) of two distributions of labels, and what chance may add to it.

    The derivation is in model_repository/nlu/1/router/label_shift.py.
    """
    first, second = canary.shares(), live.shares()
    labels = first.keys() | second.keys()
    distance = sum(abs(first.get(label, 0.0) - second.get(label, 0.0)) for label in labels) / 2
    own, other = canary.independent(routers), live.independent(routers)
    spread = 1 / own + 1 / other
    together = ((first.get(label, 0.0) * own + second.get(label, 0.0) * other) / (own + other) for label in labels)
    mean = sum(math.sqrt(2 / math.pi * share * (1 - share) * spread) for share in together) / 2
    return distance, mean + math.sqrt(math.log(1 / _CHANCE) / 2 * spread)
