"""`espalier serve` itself is killed, or told to end, under load."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from drill_size import drill_size
from failing_site import timed_load, wait_for
from publishing_site import Site

from clients import Client

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
SERVE = "import sys; from espalier import main; sys.argv[0] = 'espalier'; main()"
TERMINATIONS = drill_size(2, 20)
START_SECONDS, END_SECONDS = 90.0, 60.0


class Served:
    """`espalier serve`. url: its gRPC endpoint. tree: its processes. prefixes: of their shared memory and marks."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        own = psutil.Process(process.pid)
        self.tree = [own, *own.children(recursive=True)]
        commands = [" ".join(one.cmdline()) for one in self.tree]
        self.prefixes = {found for command in commands for found in re.findall(r"espalier_[0-9a-f]{32}", command)}
        self.folders = {
            Path(found) for command in commands for found in re.findall(r"[\w./-]*/espalier-serve-\w+", command)
        }

    @property
    def tritonserver(self) -> psutil.Process:
        return next(one for one in self.tree if one.name() == "tritonserver")

    def left(self) -> list[object]:
        """What there still is of it."""
        alive = [one for one in self.tree if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        shared = [file for prefix in self.prefixes for file in Path("/dev/shm").glob(f"{prefix}*")]
        return [*alive, *shared, *(folder for folder in self.folders if folder.exists())]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Site(tmp_path_factory.mktemp("servers")).repository


@contextmanager
def served(repository: Path) -> Iterator[Served]:
    """Returns once it says that it serves. Kills it if it still runs."""
    ports = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-c", SERVE, "serve", "--repository", str(repository), *ports]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        shown = ""
        try:
            while not shown.endswith("Ctrl-C stops.\n"):
                line = process.stdout.readline()
                assert line, f"it ended after saying {shown!r}"
                shown += line
            url = re.search(r"gRPC +(\S+)\n", shown)
            assert url is not None
            yield Served(process, url[1])
        finally:
            process.kill()


@pytest.mark.parametrize("victims", ["serve", "serve and tritonserver", "everything"])
def test_after_a_kill_one_start_command_serves_again_and_nothing_is_left(repository: Path, victims: str) -> None:
    with served(repository) as first:
        killed = {
            "serve": [first.tree[0]],
            "serve and tritonserver": [first.tree[0], first.tritonserver],
            "everything": first.tree,
        }[victims]
        for one in killed:
            one.kill()
        first.process.wait(10)
    began = time.monotonic()
    with served(repository) as second, Client(second.url) as client:
        print(f"\nSIGKILL of {victims}: serves again {time.monotonic() - began:.1f} s after the start command")
        assert client.predict("a", "b").keys() >= {"intent", "mood"}
        assert first.left() == []
        second.process.terminate()
        assert second.process.wait(END_SECONDS) == 0
    assert second.left() == []


def test_a_second_server_is_refused_and_names_the_first(repository: Path) -> None:
    command = [sys.executable, "-c", SERVE, "serve", "--repository", str(repository)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with served(repository) as first:
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        assert refused.returncode == 1
        assert re.search(rf"its processes: .*\b{first.process.pid}\b", refused.stderr), refused.stderr
        assert Client(first.url).predict("a", "b")
        first.process.terminate()
        first.process.wait(END_SECONDS)


def test_a_server_that_is_told_to_end_loses_no_request(repository: Path, tmp_path: Path) -> None:
    for number in range(TERMINATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with served(repository) as one, timed_load(one.url, folder) as end:
            time.sleep(1)
            told = time.time()
            one.process.terminate()
            took = wait_for(lambda one=one: one.process.poll() is not None, END_SECONDS)
            seen = end()
        failures = seen.failures(0.0, time.time())
        words = {sentence for _, _, errors in failures for sentence in errors.values()}
        print(f"\nSIGTERM under load: ended after {took:.1f} s, {len(failures)} requests were told to ask elsewhere")
        assert {name for _, _, errors in failures for name in errors} <= {"ServerUnavailable"}, failures
        assert not [word for word in words if re.search("ocket closed|reset|removed", word)], "a request was lost"
        assert all(after > 0 for _, after, _ in seen.failures(told, time.time()))
        assert one.left() == []
