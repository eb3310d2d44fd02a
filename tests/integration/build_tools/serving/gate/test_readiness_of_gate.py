"""A server that is not ready, or is being stopped, says so in every place, and loses nothing that it has accepted."""

import json
import queue
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from gated_server import GatedServer, until
from raw_requests import text_request
from text_tensors import text_tensors
from tritonclient import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritonclient.grpc.aio import grpc as grpcio
from tritonclient.utils import InferenceServerException

from build_tools.serving.triton.ports import choose_ports
from clients import Client, ServerUnavailable


@pytest.fixture
def said(gated: GatedServer) -> Iterator[GatedServer]:
    yield gated
    gated.say(ready=True)
    until(lambda: _status(gated, "/v2/health/ready") == 200)


def _status(gated: GatedServer, path: str, body: dict | None = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://{gated.http_url}{path}", data)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    "state",
    [
        {"ready": False, "reason": "the trunk does not answer"},
        {"ready": True, "stopping": True},
        {"ready": True, "written_at": -60},
    ],
)
def test_who_asks_an_unready_server_is_told_to_ask_again(state: dict, said: GatedServer) -> None:
    said.say(**state)
    until(lambda: _status(said, "/v2/health/ready") == 503)
    assert _status(said, "/v2/health/live") == (503 if "written_at" in state else 200)
    for model in ("nlu", "nlu_stream", "intent"):
        assert _status(said, f"/v2/models/{model}/generate", {"text": "wake me"}) == 503
        assert _status(said, f"/v2/models/{model}/generate_stream", {"text": "wake me"}) == 503
        assert _status(said, f"/v2/models/{model}/infer", {"inputs": []}) == 503
    with grpc.InferenceServerClient(said.grpc_url) as client:
        assert not client.is_server_ready()
        with pytest.raises(InferenceServerException) as refusal:
            client.infer("nlu", text_tensors({"text": ["wake me"]}, (-1, 1)))
        assert refusal.value.status() == "StatusCode.UNAVAILABLE"
    for url in (said.grpc_url, f"http://{said.http_url}"):
        with Client(url) as client, pytest.raises(ServerUnavailable):
            client.predict("wake me")


def test_a_task_that_does_not_answer_is_told_apart(said: GatedServer) -> None:
    said.say(ready=True, tasks={"intent": True, "slots": False})
    until(lambda: _status(said, "/ready/slots") == 503)
    assert [_status(said, f"/ready/{task}") for task in ("intent", "slots", "nope")] == [200, 503, 503]


def test_a_gate_that_is_stopped_answers_what_it_has_accepted(gated: GatedServer) -> None:
    ports = choose_ports("127.0.0.1", {"grpc": None, "http": None})
    process = gated.start_gate(ports)
    url = f"127.0.0.1:{ports['grpc']}"
    outcomes: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with Client(url, timeout=20) as client:
            while not stop.is_set():
                try:
                    client.predict_batch(["wake me at seven"] * 20)
                    outcomes.append("answered")
                except ServerUnavailable:
                    outcomes.append("unavailable")
                    return
                except Exception as error:
                    outcomes.append(f"{type(error).__name__}: {error}")
                    return

    callers = [threading.Thread(target=ask) for _ in range(6)]
    try:
        until(lambda: _answers(url))
        for caller in callers:
            caller.start()
        until(lambda: len(outcomes) > 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        stop.set()
        process.kill()
        for caller in callers:
            caller.join(30)
    assert set(outcomes) == {"answered", "unavailable"}
    assert outcomes.count("unavailable") == len(callers)


def test_a_stream_that_is_open_when_the_gate_ends_is_told_to_ask_again(gated: GatedServer) -> None:
    ports = choose_ports("127.0.0.1", {"grpc": None, "http": None})
    process = gated.start_gate(ports)
    requests: queue.Queue[pb.ModelInferRequest | None] = queue.Queue()
    try:
        until(lambda: _answers(f"127.0.0.1:{ports['grpc']}"))
        with grpcio.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            answers = stub.ModelStreamInfer(iter(requests.get, None), timeout=60)
            requests.put(text_request(id="first"))
            assert next(answers).infer_response.id == "first"
            process.send_signal(signal.SIGTERM)
            with pytest.raises(grpcio.RpcError) as refusal:
                next(answers)
            assert refusal.value.code() is grpcio.StatusCode.UNAVAILABLE
            assert "Server is stopping" in refusal.value.details()
            requests.put(None)
        assert process.wait(120) == 0
    finally:
        process.kill()


def _answers(url: str) -> bool:
    with grpc.InferenceServerClient(url) as client:
        try:
            return client.is_server_ready()
        except InferenceServerException:
            return False
