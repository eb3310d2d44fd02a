"""A tritonserver that something else has started beside this process: in the same pod, or in compose."""

import time

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_control import TritonControl

_POLL_SECONDS = 0.5


class AttachedTriton:
    """Has what a supervisor needs of TritonServer. Its process cannot be seen, started or ended."""

    pid: int | None = None
    tolerant = True  # it is taken with the models that it has

    def __init__(self, grpc_url: str, key: str | None, startup_timeout: float) -> None:
        """grpc_url: host:port. startup_timeout: seconds."""
        self._grpc_url = grpc_url
        self._key = key
        self._startup_timeout = startup_timeout

    def start(self) -> None:
        """Waits until it answers. Raises ServeError if it does not in time."""
        deadline = time.monotonic() + self._startup_timeout
        with TritonControl(self._grpc_url, self._key) as triton:
            while not triton.is_ready():
                if time.monotonic() > deadline:
                    raise ServeError(
                        f"no Triton answers at {self._grpc_url} after {self._startup_timeout:g} seconds: start it with "
                        "--grpc-restricted-protocol as in docker-compose.yml, and give the same key here as "
                        "ESPALIER_TRITON_KEY; or raise --startup-timeout"
                    )
                time.sleep(_POLL_SECONDS)

    def exit_reason(self) -> str | None:
        """None: whoever started it starts it again."""
        return None

    def kill(self) -> None:
        """Does nothing."""

    def stop(self) -> None:
        """Does nothing."""
