"""The faulty server of these tests, as a process of its own: a test that forks must not fork a server along."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from child_process import child_process


@pytest.fixture(scope="session")
def addresses() -> Iterator[dict[str, str]]:
    """The server's address by protocol: grpc, http."""
    program = Path(__file__).with_name("faulty_server.py")
    command = [sys.executable, str(program)]
    with child_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        grpc_port, http_port = server.stdout.readline().split()
        yield {"grpc": f"127.0.0.1:{grpc_port}", "http": f"http://127.0.0.1:{http_port}"}
