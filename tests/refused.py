"""How the gate takes a request."""

from collections.abc import Callable

from build_tools.serving.gate.refusal import Code, RefusedError


def refused(ask: Callable[[], object]) -> Code | None:
    """The class of the refusal, or None if there is none."""
    try:
        ask()
    except RefusedError as error:
        return error.code
    return None
