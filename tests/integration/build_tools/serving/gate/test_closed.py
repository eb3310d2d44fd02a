"""What the gate keeps closed, and the key that opens a part of it."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from gated_server import GatedServer
from raw_requests import over_grpc
from tritonclient import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.aio import grpc as grpcio
from tritonclient.utils import InferenceServerException

from build_tools.repository.control_key import CONTROL_HEADER

SERVICE = "/inference.GRPCInferenceService/"
_evil = pb.RepositoryModelLoadRequest(model_name="evil")
_evil.parameters["config"].string_param = '{"backend": "python"}'
_evil.parameters["file:1/model.py"].bytes_param = b"print('run')"
CONTROL = {
    "RepositoryIndex": pb.RepositoryIndexRequest(),
    "RepositoryModelLoad": _evil,
    "RepositoryModelUnload": pb.RepositoryModelUnloadRequest(model_name="nlu"),
}
NEVER = {
    "SystemSharedMemoryStatus": pb.SystemSharedMemoryStatusRequest(),
    "SystemSharedMemoryRegister": pb.SystemSharedMemoryRegisterRequest(name="x", key="/espalier_", byte_size=8),
    "SystemSharedMemoryUnregister": pb.SystemSharedMemoryUnregisterRequest(),
    "CudaSharedMemoryStatus": pb.CudaSharedMemoryStatusRequest(),
    "TraceSetting": pb.TraceSettingRequest(),
    "LogSettings": pb.LogSettingsRequest(),
    "NoSuchCall": pb.ServerLiveRequest(),
}
KEYS = [None, [(CONTROL_HEADER, "wrong")], [(CONTROL_HEADER, "")], [("triton-grpc-protocol-espalier", "x")]]


@pytest.fixture
def channel(gated: GatedServer) -> Iterator[grpcio.Channel]:
    with grpcio.insecure_channel(gated.grpc_url) as channel:
        yield channel


@pytest.mark.parametrize("metadata", KEYS)
@pytest.mark.parametrize("method", [*CONTROL, *NEVER])
def test_closed_calls_are_refused_without_the_key(
    method: str, metadata: list | None, channel: grpcio.Channel, gated: GatedServer
) -> None:
    message = (CONTROL | NEVER)[method].SerializeToString()
    code, sentence = over_grpc(channel, message, SERVICE + method, metadata)
    assert code == ("PERMISSION_DENIED" if method in CONTROL else "UNIMPLEMENTED")
    assert "evil" not in sentence
    with grpc.InferenceServerClient(gated.triton.grpc_url) as triton:
        assert triton.is_model_ready("nlu")


@pytest.mark.parametrize("method", NEVER)
def test_what_nobody_needs_stays_closed_with_the_key(method: str, channel: grpcio.Channel, gated: GatedServer) -> None:
    key = [(CONTROL_HEADER, gated.control_key)]
    assert over_grpc(channel, NEVER[method].SerializeToString(), SERVICE + method, key)[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "model", ["trunk", "branch_intent", "tokenizer", "no_such_model", "", "../trunk", "nlu/../trunk", "NLU", "nlu\0"]
)
def test_a_closed_model_and_none_get_the_same_answer(model: str, channel: grpcio.Channel) -> None:
    code, sentence = over_grpc(channel, pb.ModelInferRequest(model_name=model).SerializeToString())
    assert code == "NOT_FOUND"
    assert sentence.startswith(f"there is no model {model!r} to ask: ask nlu, or a task by name.")


def test_with_the_key_a_model_of_the_repository_is_loaded_and_nothing_else(gated: GatedServer) -> None:
    key = {CONTROL_HEADER: gated.control_key}
    with grpc.InferenceServerClient(gated.grpc_url) as client:
        assert "branch_intent" in {one.name for one in client.get_model_repository_index(headers=key).models}
        client.load_model("intent", headers=key)
        for given in ({"config": "{}"}, {"files": {"file:1/model.py": b"print('run')"}, "config": "{}"}):
            with pytest.raises(InferenceServerException, match="give its name alone") as refusal:
                client.load_model("intent", headers=key, **given)
            assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"
        for name in ("../evil", "a/b", ""):
            with pytest.raises(InferenceServerException, match="not the name of a model"):
                client.load_model(name, headers=key)
        client.unload_model("intent", headers=key)
        client.load_model("intent", headers=key)


def test_with_the_key_a_branch_answers_and_tensors_that_do_not_fit_are_refused(gated: GatedServer) -> None:
    key = {CONTROL_HEADER: gated.control_key}
    hidden = grpc.InferInput("hidden", [1, 4, 32], "FP32")
    hidden.set_data_from_numpy(np.zeros((1, 4, 32), np.float32))
    mask = grpc.InferInput("attention_mask", [1, 4], "INT64")
    mask.set_data_from_numpy(np.ones((1, 4), np.int64))
    with grpc.InferenceServerClient(gated.grpc_url) as client:
        assert client.infer("branch_intent", [hidden, mask], "1", headers=key).as_numpy("logits").shape == (1, 3)
        hidden.set_shape([2**31, 4, 32])
        with pytest.raises(InferenceServerException) as refusal:
            client.infer("branch_intent", [hidden, mask], headers=key)
        assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize("key", [None, "wrong", "right"])
@pytest.mark.parametrize(
    "path",
    [
        "/v2/repository/index",
        "/v2/repository/models/evil/load",
        "/v2/repository/models/nlu/unload",
        "/v2/systemsharedmemory/status",
        "/v2/systemsharedmemory/region/x/register",
        "/v2/cudasharedmemory/status",
        "/v2/trace/setting",
        "/v2/logging",
        "/v2/models/nlu/trace/setting",
        "/metrics",
        "/",
    ],
)
def test_over_http_nothing_is_controlled(path: str, key: str | None, gated: GatedServer) -> None:
    headers = {} if key is None else {CONTROL_HEADER: str(gated.control_key) if key == "right" else key}
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(urllib.request.Request(f"http://{gated.http_url}{path}", b"{}", headers))
    assert refusal.value.code == 404
    assert refusal.value.read() == b'{"error":"the gate has no such path."}'
