"""The wait for requests in flight, before what they may ask for is taken away."""

import time
from collections.abc import Callable

from build_tools.publishing.running_server import Server
from build_tools.repository.registry import DRAIN_SECONDS

_LOOK_SECONDS = 0.5
_MOST_SECONDS = 3 * DRAIN_SECONDS  # a fleet's servers count DRAIN_SECONDS each, from when it follows


def wait_until_left(server: Server, generation: int, report: Callable[[str], None]) -> None:
    """Waits until no request in flight asks for what only generations before this one named.

    A fleet of which a server has not left them after half a minute is not waited for: what it may need stays on disk
    until a later change.
    """
    if server.is_running:
        report(f"waiting {DRAIN_SECONDS:g} seconds for the requests in flight")
        time.sleep(DRAIN_SECONDS)
        return
    until = time.monotonic() + _MOST_SECONDS
    if server.has_left(generation):
        return
    report("waiting for the requests in flight on all servers")
    while time.monotonic() < until and not server.has_left(generation):
        time.sleep(_LOOK_SECONDS)
