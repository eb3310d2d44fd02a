"""Keys over TLS, through the real gate: our clients, publishing's connection and perf_analyzer."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from gated_server import GatedServer, until
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.publishing.running_server import RunningServer
from build_tools.serving.gate.settings import Tls
from clients import Client, RequestRejected, ServerUnavailable
from clients.load_test.inputs import prepare_inputs
from clients.load_test.load import Concurrency
from clients.load_test.measure import measure
from clients.load_test.protocol import MODELS, Protocol

_TASKS = {"intent", "same", "slots"}


_NOTICED_SECONDS = 30  # at most; a gate notices a changed file of keys in a fraction of one


@dataclass(frozen=True)
class _Site:
    server: GatedServer
    keys: Path
    ca: Path

    @property
    def urls(self) -> dict[str, str]:
        return {
            "grpc": self.server.grpc_url.replace("127.0.0.1", "grpcs://localhost"),
            "http": self.server.http_url.replace("127.0.0.1", "https://localhost"),
        }

    def key(self, name: str, *options: str) -> str:
        """A new key, once the gate knows it."""
        key = CliRunner().invoke(app, ["keys", "add", name, "--keys", str(self.keys), *options]).stdout.strip()
        with Client(self.urls["grpc"], key=key, ca=self.ca) as client:
            until(lambda: _is_answered(client), _NOTICED_SECONDS)
        return key


@pytest.fixture(scope="module")
def site(gated: GatedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Site]:
    folder = tmp_path_factory.mktemp("closed")
    repository = shutil.copytree(gated.repository, folder / "repository")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    keys = folder / "keys.json"
    CliRunner().invoke(app, ["keys", "add", "first", "--keys", str(keys)])
    tls = Tls(certificate=folder / "server.pem", key=folder / "server.pem")
    with GatedServer(repository, folder / "gate", keys=keys, tls=tls) as server:
        yield _Site(server, keys, folder / "ca.pem")


def _is_answered(client: Client) -> bool:
    try:
        return bool(client.predict("a", tasks=["intent"]))
    except RequestRejected:
        return False


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_a_key_opens_its_tasks_and_no_other_and_none_opens_nothing(site: _Site, way: str) -> None:
    own, all_tasks = site.key(f"own-{way}", "--tasks", "intent"), site.key(f"all-{way}")
    url = site.urls[way]

    with Client(url, key=all_tasks, ca=site.ca) as client:
        assert set(client.predict("a", "b")) == _TASKS
    with Client(url, key=own, ca=site.ca) as client:
        assert set(client.predict("a")) == {"intent"}
        assert {task for task, _ in client.stream("a")} == {"intent"}
        sentences = []
        for task in ("slots", "none"):
            with pytest.raises(RequestRejected, match="there is no task") as refused:
                client.predict("a", tasks=[task])
            sentences.append(str(refused.value).split("(request")[0].replace(task, "TASK"))
        assert sentences[0] == sentences[1]  # nobody learns what others have
    for key in (None, "wrong"):
        with Client(url, key=key, ca=site.ca) as client:
            with pytest.raises(RequestRejected, match="does not know this client"):
                client.predict("a")
            with pytest.raises(RequestRejected, match="does not know this client"):
                list(client.stream("a"))


def test_a_removed_key_is_refused_on_connections_that_are_open(site: _Site) -> None:
    key = site.key("leaving")
    with Client(site.urls["grpc"], key=key, ca=site.ca) as client:
        client.predict("a")
        CliRunner().invoke(app, ["keys", "remove", "leaving", "--keys", str(site.keys)])
        until(lambda: not _is_answered(client), _NOTICED_SECONDS)
        with pytest.raises(RequestRejected, match="does not know this client"):
            client.predict("a")


def test_a_damaged_file_of_keys_changes_nothing_and_is_counted(site: _Site) -> None:
    key = site.key("staying")
    good = site.keys.read_bytes()
    site.keys.write_bytes(good[: len(good) // 2])
    try:
        until(lambda: f"{site.keys} stays as it was" in site.server.log.read_text(), _NOTICED_SECONDS)
        with Client(site.urls["http"], key=key, ca=site.ca) as client:
            client.predict("a")
    finally:
        site.keys.write_bytes(good)


def test_without_tls_nobody_is_answered(site: _Site) -> None:
    for url in (site.server.grpc_url, f"http://{site.server.http_url}"):
        with Client(url, 5.0) as client, pytest.raises(ServerUnavailable):
            client.predict("a")


def test_publishing_s_connection_takes_key_and_authority_from_the_environment(
    site: _Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPALIER_CA", str(site.ca))

    with RunningServer(site.urls["grpc"], site.server.control_key) as server:
        assert {"trunk", "nlu", "branch_intent"} <= set(server.ready_versions())
    with pytest.raises(BuildError):
        RunningServer(site.urls["grpc"], "not the control key")


@pytest.mark.parametrize("protocol", ["grpc", "http", "stream"])
def test_perf_analyzer_shows_the_key_and_trusts_the_authority(
    site: _Site, protocol: Protocol, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ESPALIER_KEY", site.key(f"load-{protocol}"))
    monkeypatch.setenv("ESPALIER_CA", str(site.ca))
    prepare_inputs(["a", "b"], [None, None], ["intent"], tmp_path / "inputs.json")
    url = site.urls["http" if protocol == "http" else "grpc"]

    measured = measure(url, MODELS[protocol], tmp_path / "inputs.json", Concurrency(2), protocol, 0.5, 0.2)

    assert json.dumps([measured.failed, measured.failure]) == '[0, ""]'
    assert measured.requests > 0
