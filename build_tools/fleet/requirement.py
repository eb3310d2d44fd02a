"""How many servers of a fleet must have a version before it goes live."""

import math
from dataclasses import dataclass
from typing import Self

from build_tools.errors import BuildError

ALL = "all"


@dataclass(frozen=True)
class Requirement:
    """A number of servers, or a share (0..1) of those that there are."""

    number: int | None = None
    share: float = 1.0

    @classmethod
    def of(cls, text: str) -> Self:
        """Reads `all`, a number such as `2`, or a share such as `50%`. Raises BuildError for anything else."""
        given = text.strip()
        if given.lower() == ALL:
            return cls()
        if given.isdecimal() and int(given):
            return cls(number=int(given))
        if given.endswith("%"):
            try:
                share = float(given[:-1]) / 100
            except ValueError:
                share = 0.0
            if 0 < share <= 1:
                return cls(share=share)
        raise BuildError(
            f"--require {text!r} is no requirement: give all, a number of servers such as 2, or a share of them such "
            "as 50%."
        )

    def needed(self, servers: int) -> int:
        """Returns how many of so many servers are needed, at least one."""
        return max(1, math.ceil(self.share * servers - 1e-9)) if self.number is None else self.number


EVERY = Requirement()
