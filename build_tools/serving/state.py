"""What the supervisor knows of the server, in a file that gate processes and `espalier status` read."""

import time
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

_OLD_SECONDS = 10.0


class ModelState(BaseModel):
    """A model: whether it answers, why not, and how often it has been brought back."""

    model_config = ConfigDict(extra="forbid")

    ready: bool
    reason: str = ""
    restarts: int = 0


class ServerState(BaseModel):
    """The state of one server.

    ready: gate, router and trunk answer, and a registry is adopted. reason: why not, for people. stopping: the server
    ends as soon as it has answered what it has accepted. written_at: in seconds of time.monotonic(), which all
    processes of a machine share and nobody sets; the supervisor writes at least once a second. models: by the name of
    the Triton model. tasks: by the name of the task; False if its live version does not answer. server_restarts: how
    often tritonserver itself was started again.
    """

    model_config = ConfigDict(extra="forbid")

    ready: bool
    reason: str = ""
    stopping: bool = False
    written_at: float
    models: dict[str, ModelState] = {}
    tasks: dict[str, bool] = {}
    server_restarts: int = 0

    @property
    def is_current(self) -> bool:
        """False if the supervisor has stopped writing: it has died or is suspended."""
        return time.monotonic() - self.written_at < _OLD_SECONDS

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Returns the state, or None if there is none yet."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None

    def write(self, file: Path) -> None:
        """Replaces the file; readers see the old state or the new one. Only one thread may write.

        Not synced to the disk: after a crash of the machine nobody wants the old state.
        """
        staged = file.with_suffix(".new")
        staged.write_text(self.model_dump_json(), encoding="utf-8")
        staged.replace(file)


def self_report_file(state_file: Path) -> Path:
    """Returns the file with what the server says of itself at /state (ReplicaState), beside that of ServerState."""
    return state_file.with_name("self_report.json")
