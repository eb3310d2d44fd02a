"""The faulty server of these tests, as a process of its own: what breaks in it breaks no test."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def addresses() -> Iterator[dict[str, str]]:
    """The server's address by protocol: grpc, http."""
    program = Path(__file__).with_name("faulty_server.py")
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        grpc_port, http_port = server.stdout.readline().split()
        yield {"grpc": f"127.0.0.1:{grpc_port}", "http": f"http://127.0.0.1:{http_port}"}
        server.kill()
