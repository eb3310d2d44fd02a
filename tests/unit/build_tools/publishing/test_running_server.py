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

    def __init__(self, url):
        assert url == "here:8001"

    def is_server_live(self, client_timeout):
        self._answer(client_timeout)

    def load_model(self, model, client_timeout):
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
            raise InferenceServerException("failed to connect to all addresses")


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
