"""What one server of a fleet says of itself at `/state`: what it has adopted, and what it makes of a proposal."""

from pydantic import BaseModel, ConfigDict


class _Said(BaseModel):
    """Fields of other releases are ignored, so that servers of two releases understand each other."""

    model_config = ConfigDict(extra="ignore")


class Proposed(_Said):
    """What came of a proposed generation here.

    sha256: of the bytes of proposal.json. ready: all that it names is loaded and has proved itself. refused: why it
    cannot be served. waiting: what is not here yet. At most one of the three says something.
    """

    generation: int
    sha256: str
    ready: bool = False
    refused: str = ""
    waiting: str = ""


class CandidateCounts(_Said):
    """What the routers of one server have counted of one version, a candidate or the live one beside it.

    answers, errors: texts. calls: of its branch, in seconds altogether. dropped: a router has found this canary out of
    bounds, and sends it nothing more. texts: those that were asked of a canary or its live version meanwhile, each
    counted once by each router process. labels: {label: how many of these texts got it}.
    """

    answers: int = 0
    errors: int = 0
    calls: int = 0
    seconds: float = 0.0
    dropped: bool = False
    texts: int = 0
    labels: dict[str, int] = {}


class ReplicaState(_Said):
    """One server.

    server: host name and process id of the supervisor, and a random number of this start, which tell servers apart.
    ready, reason, stopping, tasks, server_restarts: as the supervisor means them. generation, sha256: of the adopted
    registry.json; 0 and empty before there is one. settled: the newest generation adopted so long ago that no batch
    asks for what only earlier ones named. behind: why a newer committed generation is not adopted. requests, errors:
    that the gate has taken. memory_bytes: of all processes. counts: {task: {version: counts of this server since it
    started}}.
    """

    server: str
    ready: bool
    reason: str = ""
    stopping: bool = False
    server_restarts: int = 0
    generation: int
    sha256: str = ""
    settled: int = 0
    behind: str = ""
    proposal: Proposed | None = None
    tasks: dict[str, bool] = {}
    requests: int = 0
    errors: int = 0
    memory_bytes: int = 0
    counts: dict[str, dict[int, CandidateCounts]] = {}
