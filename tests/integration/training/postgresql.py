"""A PostgreSQL of its own for a test: Debian's program, on loopback, in a folder that is removed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from child_process import child_process

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
PASSWORD = "not-for-logs"


def why_not() -> str | None:
    """Returns why no PostgreSQL can be started here, or None."""
    return None if _BINARIES else "needs PostgreSQL: apt-get install postgresql"


@contextmanager
def postgresql() -> Iterator[str]:
    """Yields the URL of an empty database. PostgreSQL refuses to run as root, so root gives it to its own user."""
    folder = Path(tempfile.mkdtemp(prefix="espalier-postgresql-"))
    owner = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    (folder / "password").write_text(PASSWORD)
    for path in (folder, folder / "password"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    rights = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    data, program = folder / "data", _BINARIES[-1]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        initdb = [program.with_name("initdb"), "--pgdata", data, "--username", "espalier", "--auth", "scram-sha-256"]
        initdb += ["--pwfile", folder / "password", "--no-sync", "--encoding", "UTF8", "--locale", "C"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **rights)
        settings = ("listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "fsync=off")
        command = [program, "-D", data, *(part for setting in settings for part in ("-c", setting))]
        with (folder / "log").open("wb") as log, child_process(command, stdout=log, stderr=log, cwd=folder, **rights):
            _wait_until_it_listens(port, folder / "log")
            yield f"postgresql+psycopg://espalier:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


def _wait_until_it_listens(port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while "ready to accept connections" not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)
    socket.create_connection(("127.0.0.1", port), 5).close()
