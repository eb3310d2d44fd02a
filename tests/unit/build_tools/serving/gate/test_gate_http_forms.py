"""JSON and binary bodies over HTTP: read as they are meant, or refused; nothing else."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import refused
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.bytes_tensor import pack_texts
from build_tools.serving.gate.catalogue import ModelSpec
from build_tools.serving.gate.http_generate import event, read_generate, written_generate
from build_tools.serving.gate.http_infer import read_infer, written
from build_tools.serving.gate.http_json import parsed_object
from build_tools.serving.gate.refusal import Code, RefusedError

SPEC = ModelSpec({"text": "BYTES", "all_scores": "BOOL"}, ("text",), frozenset({"result"}), (1,))
TEXT = {"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "ü"]}
RAW = pack_texts([b"a", "ü".encode()])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def _infer(content: Any, length: str | None = None, tail: bytes = b"") -> Any:
    return read_infer("nlu", "", json.dumps(content).encode() + tail, length)


def test_json_data_become_raw_tensors() -> None:
    call, binary = _infer({"id": "x", "inputs": [TEXT], "parameters": {"timeout": 5, "priority": 2}})
    assert (call.inputs[0].raw, call.inputs[0].shape) == (RAW, (2, 1))
    assert (call.id, call.timeout_us, call.priority, binary) == ("x", 5, 2, frozenset())


def test_nested_data_are_the_same_as_flat_ones() -> None:
    assert _infer({"inputs": [{**TEXT, "data": [["a"], ["ü"]]}]})[0].inputs[0].raw == RAW


def test_binary_tensors_follow_the_json() -> None:
    tensor = {**TEXT, "parameters": {"binary_data_size": len(RAW)}}
    del tensor["data"]
    head = {"inputs": [tensor], "outputs": [{"name": "result", "parameters": {"binary_data": True}}]}
    call, binary = _infer(head, str(len(json.dumps(head))), RAW)
    assert call.inputs[0].raw == RAW
    assert (call.outputs, binary) == (["result"], {"result"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"inputs": [TEXT], "input": 1}, "the body has no field 'input'"),
        ({"inputs": [{**TEXT, "dtype": "x"}]}, "inputs[0] has no field 'dtype'"),
        ({"inputs": [{**TEXT, "shape": [2**63, 1]}]}, "not a list of few sizes"),
        ({"inputs": [{**TEXT, "shape": [True, 1]}]}, "not a list of few sizes"),
        ({"inputs": [{**TEXT, "data": [1, 2]}]}, "something else than strings"),
        ({"inputs": [{**TEXT, "datatype": "FP32"}]}, "give BYTES or BOOL"),
        ({"inputs": [{**TEXT, "data": [["a"], "b"]}]}, "nested unevenly"),
        ({"inputs": [{**TEXT, "parameters": {"shared_memory_region": "x"}}]}, "parameters other than binary_data_size"),
        ({"inputs": [{**TEXT, "parameters": {"binary_data_size": 4}}]}, "its data twice"),
        ({"inputs": [TEXT], "outputs": [{"name": "result", "parameters": {"classification": 1}}]}, "than binary_data"),
        ({"inputs": [TEXT], "parameters": {"sequence_id": 1}}, "no parameter 'sequence_id'"),
        ({"inputs": [TEXT], "parameters": {"timeout": "1"}}, "timeout is not a whole number"),
        ({"inputs": 5}, "inputs is not a list"),
        ({"inputs": [TEXT], "id": 5}, "id is not a string"),
    ],
)
def test_a_fault_in_infer_is_said_in_one_sentence(content: dict, sentence: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        _infer(content)
    assert sentence in refusal.value.sentence


@pytest.mark.parametrize(("length", "tail"), [("99999", b""), ("-1", b""), ("x", b""), (None, b"more")])
def test_lengths_that_do_not_fit_the_body_are_refused(length: str | None, tail: bytes) -> None:
    with pytest.raises(RefusedError):
        _infer({"inputs": [TEXT]}, length, tail)


def test_bytes_after_the_last_tensor_are_refused() -> None:
    content = {"inputs": [TEXT]}
    with pytest.raises(RefusedError, match="3 bytes more"):
        _infer(content, str(len(json.dumps(content))), b"xyz")


def test_generate_takes_a_value_or_one_for_each_text() -> None:
    one = read_generate("nlu", "", SPEC, b'{"text": "a", "all_scores": true, "parameters": {"priority": 2}}')
    assert [(tensor.shape, tensor.raw) for tensor in one.inputs] == [((1, 1), pack_texts([b"a"])), ((1, 1), b"\x01")]
    assert one.priority == 2
    assert read_generate("nlu", "", SPEC, '{"text": ["a", "ü"]}'.encode()).inputs[0].raw == RAW


@pytest.mark.parametrize(
    "body", [b'{"text": 5}', b'{"text": null}', b'{"task": "a", "text": "b"}', b'{"text": ["a", 1]}']
)
def test_generate_refuses_what_triton_answers_with_500_or_ignores(body: bytes) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_generate("nlu", "", SPEC, body)
    assert refusal.value.code is Code.INVALID


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"[" * 5000, b'{"a":' * 5000, b'{"a": "\\ud800"}', b"\xff", b'{"a": NaN}']
)
def test_what_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as refusal:
        parsed_object(body)
    assert refusal.value.code is Code.INVALID


def test_commas_and_brackets_within_texts_are_not_counted() -> None:
    text = ',[{"\\' * 10_000
    assert parsed_object(json.dumps({"text": text}).encode()) == {"text": text}
    with pytest.raises(RefusedError, match="more than 10000 values"):
        parsed_object(json.dumps({"text": [[]] * 10_001}).encode())


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for content in (
        value,
        {"inputs": value},
        {"inputs": [value]},
        {"inputs": [TEXT], "outputs": value},
        {"text": value},
    ):
        for read in (_infer, lambda one: read_generate("nlu", "", SPEC, json.dumps(one).encode())):
            assert refused(lambda read=read, content=content: read(content)) in (None, Code.INVALID)


def _response() -> pb.ModelInferResponse:
    response = pb.ModelInferResponse(model_name="intent", model_version="1", id="x")
    response.outputs.add(name="logits", datatype="FP32", shape=[1, 2])
    response.outputs.add(name="truncated", datatype="BOOL", shape=[1])
    response.raw_output_contents.extend([np.array([0.1, -2], np.float32).tobytes(), b"\x01"])
    return response


def test_answers_are_written_as_triton_writes_them() -> None:
    body, size = written(_response().SerializeToString(), frozenset())
    outputs = json.loads(body)["outputs"]
    assert size == 0
    assert outputs[1] == {"name": "truncated", "datatype": "BOOL", "shape": [1], "data": [True]}
    assert np.array(outputs[0]["data"], np.float32).tolist() == np.array([0.1, -2], np.float32).tolist()
    body, size = written(_response().SerializeToString(), frozenset({"logits"}))
    described = json.loads(body[:size])["outputs"][0]
    assert described["parameters"] == {"binary_data_size": 8}
    assert body[size:] == np.array([0.1, -2], np.float32).tobytes()


def test_generate_writes_one_value_or_a_list() -> None:
    content = json.loads(written_generate(_response()))
    assert content["truncated"] is True
    assert len(content["logits"]) == 2
    assert event(b"{}") == b"data: {}\n\n"
