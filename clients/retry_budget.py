"""How many requests a client may send again, so that retries never become most of a fleet's load."""

_MOST = 100.0
_PER_REQUEST = 0.2


class RetryBudget:
    """Begins with 100 retries and gets one for each five requests, up to 100.

    So a server that goes costs no caller an answer, and where all servers refuse, retries add a fifth to the load at
    most. (The figures of Finagle's RetryBudget.) It has no lock: its owner has one.
    """

    def __init__(self) -> None:
        self._left = _MOST

    def request(self) -> None:
        """Counts a request that is sent for the first time."""
        self._left = min(_MOST, self._left + _PER_REQUEST)

    def take(self) -> bool:
        """Takes one retry; False if none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
