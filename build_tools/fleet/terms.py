"""The options that name a fleet, and say how many of its servers must agree."""

from dataclasses import dataclass
from typing import Annotated, Self

import typer

from build_tools.errors import BuildError
from build_tools.fleet.addresses import fleet_addresses
from build_tools.fleet.requirement import ALL, EVERY, Requirement
from clients.address import Address

PATIENCE_SECONDS = 120.0

FleetOption = Annotated[
    str | None,
    typer.Option(
        help="In place of --url: HTTP addresses of several servers (`espalier serve --replica`), or a name "
        "that resolves to all of them.",
        metavar="ADDRESS,...",
    ),
]
RequireOption = Annotated[
    str,
    typer.Option(
        help="With --fleet: how many servers must have it before it is live: all, a number, or a share such as 50%.",
        metavar="all|N|SHARE%",
    ),
]
PatienceOption = Annotated[
    float, typer.Option(help="With --fleet: seconds in which they must have it.", metavar="SECONDS", min=1)
]


@dataclass(frozen=True)
class FleetTerms:
    """addresses: of the servers' gates, over HTTP. patience: seconds in which the required ones must have a version."""

    addresses: tuple[Address, ...]
    requirement: Requirement = EVERY
    patience: float = PATIENCE_SECONDS

    @classmethod
    def of_options(cls, fleet: str | None, require: str = ALL, patience: float = PATIENCE_SECONDS) -> Self | None:
        """Reads the options of a verb; None without --fleet. Raises BuildError for one that cannot be read."""
        requirement = Requirement.of(require)
        if fleet is None:
            if requirement != EVERY or patience != PATIENCE_SECONDS:
                raise BuildError("--require and --patience are about the servers of a --fleet: give that too.")
            return None
        return cls(fleet_addresses(fleet), requirement, patience)
