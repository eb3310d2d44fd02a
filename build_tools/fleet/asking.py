"""Asks one server of a fleet what it says of itself."""

import os
from dataclasses import dataclass
from http.client import HTTPException

from pydantic import ValidationError

from build_tools.errors import BuildError
from build_tools.repository.control_key import CONTROL_HEADER
from build_tools.repository.replica_state import ReplicaState
from clients import failure
from clients.address import Address
from clients.credentials import Credentials
from clients.errors import RequestRejected
from clients.http_connections import HttpConnections, NeverSentError
from clients.http_tls import untrusted_reason
from clients.proxy import described
from clients.terms import Terms

ASK_SECONDS = 3.0  # for an answer, with the connection
_MOST_BYTES = 16 * 2**20
_NO_STATE = {
    401: "it asks for a client key: set ESPALIER_KEY or ESPALIER_KEY_FILE",
    404: "it has no /state: what answers there is no gate, or that of an earlier release",
}


@dataclass(frozen=True)
class Replica:
    """A server of a fleet, as it has last answered.

    state: None if it did not answer; `problem` says why. is_foreign: it serves another repository.
    """

    address: Address
    state: ReplicaState | None = None
    problem: str = ""
    is_foreign: bool = False

    @property
    def name(self) -> str:
        """Its address for a message, with the IP address if several servers have the same name."""
        return described(self.address)


class Asker:
    """Asks one server, over connections that are kept; threads may share it. Raises BuildError for wrong credentials.

    control_key: of the repository, which the server must share.
    """

    def __init__(self, address: Address, control_key: str) -> None:
        self._address = address
        self._headers = {CONTROL_HEADER: control_key}
        try:
            terms = Terms(ASK_SECONDS, False, Credentials.of_command_line(address), connect_seconds=ASK_SECONDS)
            self._connections = HttpConnections(address, terms)
        except RequestRejected as error:
            raise BuildError(str(error)) from error

    def ask(self, afresh: bool = False) -> Replica:
        """Returns what the server says now, or why it does not answer. afresh: over a new connection."""
        try:
            with self._connections.get(
                f"{self._address.path}/state", ASK_SECONDS if afresh else None, self._headers
            ) as response:
                return self._read(response.status, response.read(_MOST_BYTES))
        except (OSError, HTTPException) as error:
            return Replica(self._address, problem=self._reason(error))

    def close(self) -> None:
        """Closes the connections."""
        self._connections.close()

    def _read(self, status: int, body: bytes) -> Replica:
        if status == 403:
            why = "it does not take this repository's control key, so it serves another repository"
            return Replica(self._address, problem=why, is_foreign=True)
        if status != 200:
            return Replica(self._address, problem=_NO_STATE.get(status, f"it answers with HTTP status {status}"))
        try:
            return Replica(self._address, ReplicaState.model_validate_json(body))
        except ValidationError:
            return Replica(self._address, problem="its /state cannot be read: what answers there is no gate")

    def _reason(self, error: OSError | HTTPException) -> str:
        cause = error.cause if isinstance(error, NeverSentError) else error
        if (reason := untrusted_reason(cause)) is not None:
            return str(failure.untrusted(self._address.url, reason))
        if isinstance(cause, TimeoutError):
            return f"it does not answer within {ASK_SECONDS:g} s"
        number = getattr(cause, "errno", None)
        words = os.strerror(number) if number and number > 0 else getattr(cause, "strerror", None)
        return f"it cannot be reached ({words or str(cause) or type(cause).__name__})"
