"""Lists joined by commas, as the verb's options take them."""

from collections.abc import Callable
from typing import TypeVar, get_args

from clients.errors import RequestRejected
from clients.load_test.load import Concurrency, Distribution, Load, Rate
from clients.load_test.protocol import Protocol

_DEFAULT_CALLERS = "1,8,32"
_Number = TypeVar("_Number", int, float)


def read_protocols(joined: str) -> list[Protocol]:
    """Returns the protocols that are named. Raises RequestRejected for an unknown one, and if none is named."""
    known: tuple[Protocol, ...] = get_args(Protocol)
    for name in (names := _parts(joined)):
        if name not in known:
            raise RequestRejected(f"--protocol: '{name}' is none of {', '.join(known)}")
    if not names:
        raise RequestRejected(f"--protocol is empty: name one or more of {', '.join(known)}")
    return [protocol for protocol in known if protocol in names]


def read_loads(callers: str | None, rates: str | None, distribution: Distribution) -> list[Load]:
    """Returns first the numbers of callers, then the rates. Raises RequestRejected if one is not a number."""
    if callers is None and rates is None:
        callers = _DEFAULT_CALLERS
    return [
        *(Concurrency(number) for number in _numbers("--concurrency", callers, int)),
        *(Rate(number, distribution) for number in _numbers("--rate", rates, float)),
    ]


def _numbers(option: str, joined: str | None, kind: Callable[[str], _Number]) -> list[_Number]:
    if joined is None:
        return []
    try:
        numbers = [kind(part) for part in _parts(joined)]
    except ValueError:
        numbers = []
    if not numbers:
        raise RequestRejected(f"{option}: '{joined}' is not a list of numbers: write them like 1,8,32")
    return numbers


def _parts(joined: str) -> list[str]:
    return [part.strip() for part in joined.split(",") if part.strip()]
