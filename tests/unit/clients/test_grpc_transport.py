import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from clients.address import parse_address
from clients.errors import RequestRejected, ServerFailed, ServerUnavailable
from clients.grpc_transport import _Calls, _Events
from clients.request import split_requests
from clients.terms import Terms
from espalier_errors import EspalierError


def _answer(row: bytes) -> service_pb2.ModelStreamInferResponse:
    raw = serialize_byte_tensor(np.array([row], dtype=np.object_)).item()
    response = service_pb2.ModelInferResponse(raw_output_contents=[raw])
    response.outputs.add(name="result", datatype="BYTES", shape=[1, 1])
    return service_pb2.ModelStreamInferResponse(infer_response=response)


def _final() -> service_pb2.ModelStreamInferResponse:
    response = service_pb2.ModelStreamInferResponse()
    response.infer_response.parameters["triton_final_response"].bool_param = True
    return response


def _read(*messages: service_pb2.ModelStreamInferResponse) -> tuple[list[list[bytes]], EspalierError | None]:
    (request,) = split_requests(["a"], None, None, all_scores=False)
    events = _Events(_Calls(parse_address("host:1"), Terms(1.0, bulk=False)), request)
    rows = [row for message in messages for row in events.rows(message)]
    try:
        events.check_end()
    except EspalierError as error:
        return rows, error
    return rows, None


@pytest.mark.parametrize("model", ["nlu", "nlu_stream"])
def test_the_server_is_told_the_timeout_and_that_bulk_comes_last(model: str) -> None:
    (request,) = split_requests(["a"], None, None, all_scores=False)
    parameters = {
        bulk: _Calls(parse_address("host:1"), Terms(1.5, bulk)).message(model, request).parameters
        for bulk in (False, True)
    }

    assert parameters[False]["timeout"].int64_param == 1_500_000
    assert "priority" not in parameters[False]
    assert parameters[True]["priority"].int64_param == 2


def test_the_message_carries_every_column_with_its_batch_shape() -> None:
    (request,) = split_requests(["ü", "b"], ["", "p"], ["intent"], True)
    message = _Calls(parse_address("host:1"), Terms(1.0, bulk=False)).message("nlu", request)
    assert [(i.name, i.datatype, list(i.shape)) for i in message.inputs] == [
        ("text", "BYTES", [2, 1]),
        ("pair", "BYTES", [2, 1]),
        ("tasks", "BYTES", [2, 1]),
        ("all_scores", "BOOL", [2, 1]),
    ]
    assert list(deserialize_bytes_tensor(message.raw_input_contents[0])) == ["ü".encode(), b"b"]
    assert list(deserialize_bytes_tensor(message.raw_input_contents[1])) == [b"", b"p"]
    assert message.raw_input_contents[3] == b"\x01\x01"


def test_a_whole_stream_yields_its_answers_and_no_row_for_the_final_flag() -> None:
    assert _read(_answer(b"1"), _answer(b"2"), _final()) == ([[b"1"], [b"2"]], None)


def test_a_stream_without_the_final_flag_is_not_taken_for_whole() -> None:
    rows, error = _read(_answer(b"1"))
    assert rows == [[b"1"]]
    assert isinstance(error, ServerUnavailable)


def test_an_error_rejects_the_request_only_before_the_first_answer() -> None:
    refused = service_pb2.ModelStreamInferResponse(error_message="unknown task 'x'")
    assert isinstance(_read(refused)[1], RequestRejected)
    assert isinstance(_read(_answer(b"1"), refused)[1], ServerFailed)


def test_an_answer_of_another_model_is_refused() -> None:
    other = _answer(b"1")
    other.infer_response.outputs[0].name = "logits"
    with pytest.raises(ServerFailed, match="no output named result"):
        _read(other)
