from google.rpc import error_details_pb2, status_pb2

from build_tools.serving.gate.grpc_retry import retry_hint
from build_tools.serving.gate.refusal import Code


def test_a_caller_that_is_refused_for_now_learns_when_to_ask_again_in_both_forms():
    metadata = dict(retry_hint(Code.UNAVAILABLE, "busy", 2.5))

    assert metadata["retry-after"] == "3"
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert (status.code, status.message) == (14, "busy")
    info = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.ToTimedelta().total_seconds() == 2.5


def test_a_refusal_that_asking_again_does_not_change_says_nothing():
    assert retry_hint(Code.INVALID, "wrong", None) == ()
