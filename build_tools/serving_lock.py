"""No change behind a server's back."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_tools.errors import BuildError

SERVING_LOCK = "serving.lock"  # each router process of a server holds a shared lock of it


class ServedError(BuildError):
    """A server has the repository open."""


@contextmanager
def not_served(repository: Path) -> Iterator[None]:
    """Keeps servers on this machine from opening the repository meanwhile: their routers wait.

    Raises ServedError if one has it open: its routers would follow registry.json to versions that nobody has asked
    Triton to load.
    """
    with (repository / SERVING_LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServedError(
                f"a server has {repository} open: give host:port of its gRPC endpoint as --url, or stop it first."
            ) from None
        yield
