"""What reaches Triton is made of what was checked, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_requests import text_request
from refused import refused
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.bytes_tensor import pack_texts
from build_tools.serving.gate.grpc_messages import parsed, read_call
from build_tools.serving.gate.http_messages import as_json
from build_tools.serving.gate.refusal import Code, RefusedError


def _refusal(message: pb.ModelInferRequest) -> str:
    with pytest.raises(RefusedError) as refusal:
        read_call(message.SerializeToString())
    assert refusal.value.code is Code.INVALID
    return refusal.value.sentence


def test_a_message_is_made_anew_with_the_deadline_and_the_trace() -> None:
    asked = text_request(id="mine", model_version="1")
    asked.outputs.add(name="result")
    asked.parameters["priority"].uint64_param = 2
    asked.parameters["triton_enable_empty_final_response"].bool_param = True
    raw = asked.SerializeToString() + b"\xfa\x3f\x04evil"  # field 1023, which no message has
    made = read_call(raw).message(1500, "00-trace")
    expected = text_request(id="mine", model_version="1")
    expected.outputs.add(name="result")
    expected.parameters["priority"].int64_param = 2
    expected.parameters["triton_enable_empty_final_response"].bool_param = True
    expected.parameters["timeout"].int64_param = 1500
    expected.parameters["traceparent"].string_param = "00-trace"
    assert made == expected
    assert b"evil" not in made.SerializeToString()


def test_contents_that_are_not_raw_become_raw() -> None:
    asked = pb.ModelInferRequest(model_name="nlu")
    asked.inputs.add(name="text", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(b"wake me")
    asked.inputs.add(name="all_scores", datatype="BOOL", shape=[1, 1]).contents.bool_contents.append(True)
    made = read_call(asked.SerializeToString()).message(0)
    assert list(made.raw_input_contents) == [pack_texts([b"wake me"]), b"\x01"]
    assert not any(tensor.HasField("contents") for tensor in made.inputs)


@pytest.mark.parametrize("name", ["sequence_id", "sequence_start", "headers", "traceparent", ""])
def test_other_parameters_are_refused(name: str) -> None:
    asked = text_request()
    asked.parameters[name].int64_param = 1
    assert f"no parameter {name!r}: give timeout or priority" in _refusal(asked)


def test_a_parameter_of_another_type_is_refused() -> None:
    asked = text_request()
    asked.parameters["timeout"].string_param = "5"
    assert "the parameter timeout has the wrong type" in _refusal(asked)


def test_parameters_of_tensors_are_refused() -> None:
    shared, classified = text_request(), text_request()
    shared.inputs[0].parameters["shared_memory_region"].string_param = "x"
    classified.outputs.add(name="result").parameters["classification"].int64_param = 1
    assert "the input 'text' has parameters" in _refusal(shared)
    assert "the output 'result' has parameters" in _refusal(classified)


def test_contents_must_be_there_once() -> None:
    twice, none = text_request(), text_request()
    twice.inputs[0].contents.bytes_contents.append(b"x")
    none.raw_input_contents.append(b"x")
    assert "contents twice" in _refusal(twice)
    assert "1 inputs and the raw contents of 2" in _refusal(none)


def test_millions_of_empty_fields_are_refused_before_they_become_objects() -> None:
    with pytest.raises(RefusedError, match="more than 1000 fields"):
        read_call(b"\x2a\x00" * 1_000_000)


def test_a_large_text_is_not_taken_for_many_fields() -> None:
    assert read_call(text_request(text=b"\x2a\x00" * 100_000).SerializeToString()).size == 200_004


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    assert refused(lambda: read_call(raw)) in (None, Code.INVALID)


def test_another_message_s_bytes_are_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="not a ModelConfigRequest"):
        parsed(pb.ModelConfigRequest, b"\xff")


def test_http_writes_every_plain_field_and_numbers_of_64_bits_as_numbers() -> None:
    answer = pb.ModelStatisticsResponse()
    answer.model_stats.add(name="nlu").inference_stats.success.count = 2**40
    (written,) = as_json(answer)["model_stats"]
    assert written["inference_stats"]["success"] == {"count": 2**40, "ns": 0}
    assert written["version"] == ""
