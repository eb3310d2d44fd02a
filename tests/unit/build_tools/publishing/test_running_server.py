from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException

from build_tools.errors import BuildError
from build_tools.publishing import running_server
from build_tools.publishing.running_server import Calls, NoServer, RunningServer


class _Client:
    """A Triton that answers until it is gone, and that refuses to load or unload."""

    is_gone = False
    is_closed = False
    is_lost = False  # this one connection, and in silence
    made = ()

    def __init__(self, url, creds, channel_args):
        assert url == "here:8001"
        self.options = dict(channel_args)
        self.credentials = creds
        type(self).made = [*self.made, self]

    def register_plugin(self, plugin):
        request = SimpleNamespace(headers={})
        plugin(request)
        self.headers = request.headers

    def is_server_live(self, client_timeout):
        self._answer(client_timeout)

    def load_model(self, model, client_timeout):
        self._answer(client_timeout)
        raise InferenceServerException(f"failed to load '{model}' within {client_timeout}")

    unload_model = load_model

    def get_model_repository_index(self, client_timeout):
        self._answer(client_timeout)
        states = [("intent", "10", "READY"), ("intent", "9", "READY"), ("intent", "8", "UNAVAILABLE"), ("nlu", "", "")]
        return SimpleNamespace(
            models=[SimpleNamespace(name=name, version=version, state=state) for name, version, state in states]
        )

    def get_model_config(self, model, client_timeout):
        self._answer(client_timeout)
        return SimpleNamespace(config=pb.ModelConfig(name=model))

    def get_inference_statistics(self, client_timeout):
        self._answer(client_timeout)

        def of(version, answered, failed):
            counted = SimpleNamespace(success=SimpleNamespace(count=answered), fail=SimpleNamespace(count=failed))
            return SimpleNamespace(name="intent", version=version, inference_stats=counted)

        return SimpleNamespace(model_stats=[of("10", 120, 3), of("9", 7, 0)])

    def close(self):
        type(self).is_closed = True

    def _answer(self, client_timeout):
        assert client_timeout > 0
        if self.is_gone:
            raise InferenceServerException("failed to connect to all addresses", "StatusCode.UNAVAILABLE")
        if self.is_lost:
            raise InferenceServerException("Deadline Exceeded", "StatusCode.DEADLINE_EXCEEDED")


@pytest.fixture
def client(monkeypatch):
    client = type("_OneClient", (_Client,), {})
    monkeypatch.setattr(running_server.grpc, "InferenceServerClient", client)
    return client


def test_a_server_that_does_not_answer_is_told_with_what_to_do(client):
    client.is_gone = True

    with pytest.raises(BuildError, match=r"no Triton answers at here:8001 .* as --url, or leave --url out"):
        RunningServer("here:8001")


def test_ready_are_the_versions_that_answer_in_the_order_of_their_numbers(client):
    with RunningServer("here:8001") as server:
        assert server.ready_versions() == {"intent": [9, 10]}

    assert client.is_closed


@pytest.mark.usefixtures("client")
def test_calls_are_by_model_and_version():
    with RunningServer("here:8001") as server:
        assert server.calls() == {("intent", 10): Calls(120, 3), ("intent", 9): Calls(7, 0)}


@pytest.mark.usefixtures("client")
def test_a_model_s_config_is_the_one_that_triton_has_loaded():
    with RunningServer("here:8001") as server:
        assert server.config("intent") == pb.ModelConfig(name="intent")


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("verb", ["load", "unload"])
def test_what_triton_refuses_is_told_in_its_own_words(verb):
    server = RunningServer("here:8001")

    with pytest.raises(BuildError, match=f"here:8001 cannot {verb} trunk: failed to load 'trunk'"):
        getattr(server, verb)("trunk")


def test_a_server_that_dies_in_between_is_told(client):
    server = RunningServer("here:8001")
    client.is_gone = True

    with pytest.raises(BuildError, match="here:8001 does not answer: failed to connect"):
        server.ready_versions()
    with pytest.raises(BuildError, match="here:8001 does not answer: failed to connect"):
        server.calls()
    with pytest.raises(BuildError, match="here:8001 has no nlu: failed to connect"):
        server.config("nlu")


@pytest.mark.usefixtures("client")
def test_only_on_a_running_server_is_something_in_flight():
    assert NoServer().now() is None
    assert RunningServer("here:8001").now() <= datetime.now(UTC)


def test_where_no_server_runs_nothing_is_loaded_whatever_is_told():
    server = NoServer()
    server.load("trunk")

    assert (server.is_running, server.ready_versions()) == (False, {})


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def hours_pass(monkeypatch):
    """Makes the connection look idle: it is tried before it is used again."""
    return lambda: monkeypatch.setattr(running_server, "_IDLE_SECONDS", -1.0)


READS = [lambda server: server.ready_versions(), lambda server: server.calls(), lambda server: server.config("nlu")]


@pytest.mark.parametrize("read", READS)
def test_a_connection_that_is_lost_between_two_questions_is_replaced(client, read):
    with RunningServer("here:8001") as server:
        client.made[0].is_lost = True

        assert read(server)

    assert len(client.made) == 2


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_what_changes_the_server_is_asked_once_and_on_a_connection_that_has_just_answered(client, verb, hours_pass):
    server = RunningServer("here:8001")
    client.made[0].is_lost = True
    hours_pass()

    with pytest.raises(BuildError, match=f"cannot {verb} trunk: failed to load 'trunk'"):
        getattr(server, verb)("trunk")

    assert len(client.made) == 2


def test_after_a_lost_load_the_next_one_has_a_new_connection(client):
    server = RunningServer("here:8001")
    client.made[0].is_lost = True
    with pytest.raises(BuildError, match="Deadline Exceeded"):
        server.load("trunk")

    with pytest.raises(BuildError, match="failed to load 'trunk'"):
        server.load("trunk")

    assert len(client.made) == 2


def test_a_connection_that_answers_is_kept(client, hours_pass):
    server = RunningServer("here:8001")
    hours_pass()
    server.ready_versions()
    with pytest.raises(BuildError, match="failed to load 'trunk'"):
        server.load("trunk")

    assert len(client.made) == 1


@pytest.mark.usefixtures("client")
def test_a_lost_connection_is_noticed_by_pings():
    server = RunningServer("here:8001")

    assert server._client.options["grpc.keepalive_time_ms"] <= 60_000
    assert server._client.options["grpc.max_reconnect_backoff_ms"] <= 1_000


PROXIES = ("http_proxy", "https_proxy", "grpc_proxy")
LOOPBACK = ["localhost:8001", "LOCALHOST:8001", "127.0.0.1:8001", "127.0.0.2:8001", "[::1]:8001", "0.0.0.0:8001"]
LOOPBACK += ["localhost", "grpc://localhost:8001", "api.localhost:8001", "127.1:8001", "[::ffff:127.0.0.1]:8001"]


@pytest.mark.parametrize("variable", PROXIES)
@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machine_is_never_asked_through_a_proxy(client, monkeypatch, url, variable):
    monkeypatch.setenv(variable, "http://proxy:3128")
    monkeypatch.setattr(client, "__init__", lambda _self, _url, *, channel_args, **_: options.update(channel_args))
    options = {}
    RunningServer(url)

    assert options["grpc.enable_http_proxy"] == 0


@pytest.mark.parametrize("variable", PROXIES)
def test_another_host_is_asked_as_the_environment_says_and_the_proxy_is_named(client, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://me:secret@proxy:3128")
    client.is_gone = True

    with pytest.raises(BuildError, match=r"at here:8001 \(through the proxy http://proxy:3128\)") as raised:
        RunningServer("here:8001")

    assert client.made[0].options["grpc.enable_http_proxy"] == 1
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("exempt", ["here", "*", "other,here"])
def test_a_host_in_no_proxy_is_asked_directly(client, monkeypatch, exempt):
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", exempt)
    RunningServer("here:8001")

    assert client.made[0].options["grpc.enable_http_proxy"] == 0


@pytest.mark.parametrize(
    "url", ["http://here:8000", "here:port", "here:99999", "", ":8001", "https://here", "here:8001/v2", "me@here:8001"]
)
def test_what_is_not_a_grpc_address_is_told_in_one_sentence(url):
    with pytest.raises(BuildError, match=r"^--url"):
        RunningServer(url)


def test_the_gate_is_shown_the_repository_s_control_key_and_the_client_s_own(client, monkeypatch):
    monkeypatch.setenv("ESPALIER_KEY", "mine")

    with RunningServer("here:8001", control_key="of the folder"):
        assert client.made[0].headers == {"authorization": "Bearer mine", "espalier-control-key": "of the folder"}
        assert client.made[0].credentials is None


@pytest.mark.usefixtures("client")
def test_a_bare_triton_is_shown_nothing(client, monkeypatch):
    monkeypatch.delenv("ESPALIER_KEY", raising=False)

    with RunningServer("here:8001"):
        assert client.made[0].headers == {}


@pytest.mark.usefixtures("client")
def test_a_key_file_that_cannot_be_read_ends_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("ESPALIER_KEY_FILE", str(tmp_path / "none"))

    with pytest.raises(BuildError, match=r"ESPALIER_KEY_FILE: .* cannot be read: No such file"):
        RunningServer("here:8001")
