"""Clients of Triton work through the gate unchanged, and get Triton's answers."""

import asyncio
import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from gated_server import GatedServer
from raw_requests import text_request
from sentences import TEXTS
from text_tensors import text_tensors
from tritonclient import grpc, http
from tritonclient.grpc import aio, service_pb2_grpc
from tritonclient.grpc.aio import grpc as grpcio

from clients import AsyncClient, Client
from clients.address import parse_address
from clients.load_test.perf_analyzer import environment, find_perf_analyzer


def _columns(model: str) -> dict[str, list[str]]:
    columns = {"text": list(TEXTS)}
    return columns | {"pair": list(reversed(TEXTS))} if model in ("same", "nlu") else columns


def _shape(model: str) -> tuple[int, ...]:
    return (-1, 1) if model == "nlu" else (-1,)


@pytest.mark.parametrize("model", ["nlu", "intent", "same", "slots"])
def test_both_protocols_answer_what_triton_answers(model: str, gated: GatedServer) -> None:
    tensors = text_tensors(_columns(model), _shape(model))
    with grpc.InferenceServerClient(gated.triton.grpc_url) as client:
        expected = client.infer(model, tensors)
        names = [output.name for output in expected.get_response().outputs]
    with grpc.InferenceServerClient(gated.grpc_url) as client:
        over_grpc = client.infer(model, tensors)
    with http.InferenceServerClient(gated.http_url) as client:
        over_http = client.infer(model, text_tensors(_columns(model), _shape(model), protocol=http))
    for name in names:
        for answer in (over_grpc, over_http):
            actual, right = answer.as_numpy(name), expected.as_numpy(name)
            if right.dtype == np.float32:
                np.testing.assert_allclose(actual, right, atol=1e-5)
            else:
                np.testing.assert_array_equal(actual, right)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_http_takes_binary_and_compressed_tensors(binary: bool, compression: str | None, gated: GatedServer) -> None:
    array = np.array([[text] for text in TEXTS], dtype=np.object_)
    tensor = http.InferInput("text", [len(TEXTS), 1], "BYTES")
    tensor.set_data_from_numpy(array, binary_data=binary)
    wanted = [http.InferRequestedOutput("result", binary_data=binary)]
    with http.InferenceServerClient(gated.http_url) as client:
        answer = client.infer("nlu", [tensor], outputs=wanted, request_compression_algorithm=compression)
    assert [set(json.loads(row)["tasks"]) for row in answer.as_numpy("result").reshape(-1)] == [
        {"intent", "same", "slots"}
    ] * len(TEXTS)


def test_tritonclient_on_asyncio_works(gated: GatedServer) -> None:
    async def ask() -> np.ndarray:
        async with aio.InferenceServerClient(gated.grpc_url) as client:
            return (await client.infer("intent", text_tensors({"text": TEXTS}))).as_numpy("logits")

    assert asyncio.run(ask()).shape == (len(TEXTS), 3)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_our_client_asks_batches_and_streams(transport: str, gated: GatedServer) -> None:
    url = gated.grpc_url if transport == "grpc" else f"http://{gated.http_url}"
    with Client(url) as client:
        whole = client.predict_batch(TEXTS, tasks=["intent", "slots"])
        streamed = dict(client.stream(TEXTS[0], tasks=["intent", "slots"]))

    async def ask() -> list:
        async with AsyncClient(url) as client:
            return await asyncio.gather(*(client.predict(TEXTS[0], tasks=["intent"]) for _ in range(16)))

    assert {answers["intent"].label for answers in asyncio.run(ask())} == {whole[0]["intent"].label}
    assert {task: answer.label for task, answer in streamed.items()} == {
        task: answer.label for task, answer in whole[0].items()
    }


def _post(gated: GatedServer, path: str, body: dict, **headers: str) -> tuple[dict[str, str], str]:
    request = urllib.request.Request(f"http://{gated.http_url}/v2/models/{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()


def test_generate_takes_one_text_or_several_and_says_the_request_id(gated: GatedServer) -> None:
    headers, one = _post(gated, "nlu/generate", {"text": TEXTS[0], "tasks": "intent"}, **{"x-request-id": "mine"})
    assert headers["x-request-id"] == json.loads(one)["id"] == "mine"
    assert set(json.loads(json.loads(one)["result"])["tasks"]) == {"intent"}
    _, several = _post(gated, "nlu/generate", {"text": list(TEXTS), "tasks": ["intent"] * len(TEXTS), "id": "x"})
    assert len(json.loads(several)["result"]) == len(TEXTS)


def test_generate_stream_sends_one_event_for_each_task(gated: GatedServer) -> None:
    headers, body = _post(gated, "nlu_stream/generate_stream", {"text": TEXTS[0], "tasks": "intent,slots", "id": "s"})
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    events = [json.loads(event.removeprefix("data: ")) for event in body.strip().split("\n\n")]
    assert [event["id"] for event in events] == ["s", "s"]
    assert {task for event in events for task in json.loads(event["result"])["tasks"]} == {"intent", "slots"}


def test_a_stream_answers_each_request_and_says_the_class_of_a_refusal(gated: GatedServer) -> None:

    wrong = text_request(id="wrong")
    wrong.inputs[0].datatype = "INT32"
    requests = [text_request(id="first"), wrong, text_request("nlu_stream", id="parts"), text_request(id="last")]
    with grpcio.insecure_channel(gated.grpc_url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = list(stub.ModelStreamInfer(iter(requests), timeout=30))
        refused = [one for one in answers if one.error_message]
        assert [one.infer_response.id for one in refused] == ["wrong"]
        assert refused[0].infer_response.parameters["espalier_code"].string_param == "INVALID_ARGUMENT"
        assert [one.infer_response.id for one in answers if not one.error_message].count("parts") == 3
        # Triton dies of this metadata; the gate ends the stream with the status, and passes nothing on.
        with pytest.raises(grpcio.RpcError) as refusal:
            list(stub.ModelStreamInfer(iter(requests), metadata=[("triton_grpc_error", "true")], timeout=30))
        assert refusal.value.code() is grpcio.StatusCode.INVALID_ARGUMENT


def test_metadata_config_and_statistics_can_be_read(gated: GatedServer) -> None:
    with grpc.InferenceServerClient(gated.grpc_url) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("nlu")
        assert "binary_tensor_data" in client.get_server_metadata().extensions
        assert client.get_model_config("branch_intent").config.backend
        assert client.get_inference_statistics("intent").model_stats[0].name == "intent"
        over_grpc = {one.name for one in client.get_inference_statistics().model_stats}
    with http.InferenceServerClient(gated.http_url) as client:
        assert client.is_server_ready()
        assert client.is_model_ready("slots")
        assert client.get_model_config("nlu")["max_batch_size"] == 64
        assert [one["name"] for one in client.get_model_metadata("same")["inputs"]] == ["text", "pair"]
        statistics = client.get_inference_statistics()["model_stats"]
        assert {one["name"] for one in statistics} == over_grpc
        assert isinstance(statistics[0]["inference_stats"]["success"]["count"], int)


@pytest.mark.parametrize(
    "options",
    [
        ["-i", "grpc", "-m", "nlu", "--bls-composing-models", "trunk,branch_intent"],
        ["-i", "grpc", "-m", "nlu_stream", "--streaming"],
        ["-i", "http", "-m", "nlu"],
    ],
)
def test_perf_analyzer_measures_through_the_gate(options: list[str], gated: GatedServer, tmp_path: Path) -> None:
    url = gated.http_url if "http" in options else gated.grpc_url
    inputs, export = tmp_path / "inputs.json", tmp_path / "export.json"
    inputs.write_text(json.dumps({"data": [{"text": {"content": [text], "shape": [1]}} for text in TEXTS]}))
    program = [str(find_perf_analyzer()), "-u", url, *options, "--input-data", str(inputs)]
    program += ["--request-count", "30", "--concurrency-range", "2", "--profile-export-file", str(export)]
    ran = subprocess.run(
        program, env=environment(parse_address(url), tmp_path), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    requests = json.loads(export.read_bytes().decode(errors="replace"))["experiments"][0]["requests"]
    assert len(requests) >= 30
    assert all(request["response_timestamps"] for request in requests)


def test_the_page_at_docs_describes_what_is_answered(gated: GatedServer) -> None:
    with urllib.request.urlopen(f"http://{gated.http_url}/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    example = paths["/v2/models/{model}/generate"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert json.loads(_post(gated, "nlu/generate", example["example"])[1])["result"]
    infer = paths["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert json.loads(_post(gated, "nlu/infer", infer["example"])[1])["outputs"]


def test_the_page_at_docs_needs_nothing_from_elsewhere(gated: GatedServer) -> None:
    page = f"http://{gated.http_url}/docs"
    with urllib.request.urlopen(page) as answer:
        links = re.findall(r"""(?:src|href)=["']([^"']+)""", answer.read().decode())
    assert len(links) >= 3
    for link in links:
        address = urllib.parse.urljoin(page, link)
        assert address.startswith(f"http://{gated.http_url}/"), link
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
