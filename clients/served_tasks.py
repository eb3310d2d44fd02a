"""What a server says of its tasks at `/tasks`: where each branch sits, and which versions answer."""

from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPException

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from clients import failure
from clients.address import parse_address
from clients.credentials import Credentials
from clients.errors import RequestRejected
from clients.http_connections import HttpConnections
from clients.http_transport import HttpCalls
from clients.terms import Terms

_SECONDS = 10.0
_NO_SUCH_PAGE = (400, 404)  # a server that has no gate before it: Triton says 400 for what it does not know


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ServedVersion(_Frozen):
    """One version of a branch: it reads the trunk's layer `tap`, and has `layers` of its own."""

    trunk: str
    tap: int
    layers: int


class ServedCanary(_Frozen):
    """A version that answers for a share (0..1) of the texts."""

    version: int
    share: float


class ServedTask(_Frozen):
    """live, canary and shadow name versions; a shadow's answers reach nobody."""

    kind: str
    live: int
    canary: ServedCanary | None = None
    shadow: int | None = None
    versions: Mapping[int, ServedVersion] = {}


_TASKS = TypeAdapter(dict[str, ServedTask])


def served_tasks(url: str, credentials: Credentials) -> dict[str, ServedTask]:
    """Returns the tasks that this client may ask, by name. Empty if the server does not say.

    url: `http://` or `https://`. Raises RequestRejected for another one or if the server refuses the client,
    ServerUnavailable if it cannot be reached, and ServerFailed if its answer cannot be read.
    """
    address = parse_address(url)
    if address.transport != "http":
        raise RequestRejected(f"'{url}' is an address for gRPC: give the one for HTTP, such as http://localhost:8000")
    terms = Terms(_SECONDS, False, credentials)
    calls = HttpCalls(address, terms)
    try:
        with (
            closing(HttpConnections(address, terms)) as connections,
            connections.get(f"{address.path}/tasks") as response,
        ):
            body, status, headers = response.read(), response.status, response.headers
    except (OSError, HTTPException) as error:
        raise calls.failure(error) from None
    if status in _NO_SUCH_PAGE:
        return {}
    if status != 200:
        raise calls.refusal(status, body, headers)
    try:
        return _TASKS.validate_json(body)
    except ValidationError:
        raise failure.unreadable("/tasks is not the list of tasks") from None
