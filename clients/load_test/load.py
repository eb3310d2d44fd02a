"""One load of a load test: concurrent callers or a rate."""

import math
from dataclasses import dataclass
from enum import StrEnum

from clients.errors import RequestRejected


class Distribution(StrEnum):
    """The distances between the texts of an open loop: constant, or random as independent callers make them."""

    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Concurrency:
    """A closed loop: each caller sends its next text when it has the answer to the one before."""

    callers: int

    def __post_init__(self) -> None:
        if self.callers < 1:
            raise RequestRejected(f"a load of {self.callers} callers is not a load: give 1 or more")

    def among(self, servers: int) -> list["Concurrency"]:
        """Returns the callers of each server that gets any."""
        least, more = divmod(self.callers, servers)
        return [Concurrency(least + (number < more)) for number in range(min(servers, self.callers))]

    def __str__(self) -> str:
        return "1 caller" if self.callers == 1 else f"{self.callers} callers"


@dataclass(frozen=True)
class Rate:
    """An open loop: texts are sent at this rate, whether earlier ones are answered or not."""

    per_second: float
    distribution: Distribution = Distribution.POISSON

    def __post_init__(self) -> None:
        if not 0 < self.per_second < math.inf:
            raise RequestRejected(f"a rate of {self.per_second:g} texts a second is not a load: give more than 0")

    def among(self, servers: int) -> list["Rate"]:
        """Returns the rate of each server."""
        return [Rate(self.per_second / servers, self.distribution)] * servers

    def __str__(self) -> str:
        return f"{self.per_second:g}/s"


Load = Concurrency | Rate
