"""Who asks, known by a key: the Access of a gate that has a file of keys."""

import hmac
from pathlib import Path

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.file_alarm import alarm
from build_tools.serving.gate.key_file import read_key_file, sha256_of
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.watched_file import WatchedFile

_SCHEME = "bearer "
_LONGEST = 512  # characters of a header that are looked at

Callers = dict[str, Caller]  # by the SHA-256 of the key


class KeyAccess:
    """Knows the callers of a file of keys. See Access.

    The file is read again when it has changed. A new state that is damaged raises an alarm, and the last good one stays
    in force; so does a file that disappears. Raises BuildError if the file cannot be used at the start.
    """

    def __init__(self, file: Path) -> None:
        self._file = WatchedFile(file, _callers, _callers(file), alarm("keys", file))

    def identify(self, authorization: str | None) -> Caller:
        """See Access."""
        if not authorization:
            raise RefusedError(Code.UNAUTHENTICATED, "a key is missing: send the header `authorization: Bearer KEY`.")
        scheme, _, key = authorization[:_LONGEST].strip().partition(" ")
        if f"{scheme.lower()} " != _SCHEME or not key.strip():
            raise RefusedError(
                Code.UNAUTHENTICATED, "the header authorization is not of the form `authorization: Bearer KEY`."
            )
        caller = self._known(sha256_of(key.strip()))
        if caller is None:
            raise RefusedError(Code.UNAUTHENTICATED, "the key is not known: it is mistyped, or has been removed.")
        return caller

    def look(self) -> None:
        """See Access."""
        self._file.look()

    def _known(self, digest: str) -> Caller | None:
        """Compares in a time that does not depend on where two digests begin to differ, and never stops early."""
        found = None
        for known, caller in self._file.value.items():
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def _callers(file: Path) -> Callers:
    return {
        key.sha256: Caller(key.name, None if key.tasks is None else frozenset(key.tasks), key.max_in_flight)
        for key in read_key_file(file).keys
    }
