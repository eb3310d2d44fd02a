import grpc
import pytest

from build_tools.serving.triton.triton_control import StreamError, TritonError
from build_tools.serving.watch.probes import NO_TASK
from build_tools.serving.watch.verdict import Verdict, verdict


class _Failed(grpc.RpcError):
    def __init__(self, code, details):
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details


@pytest.mark.parametrize(
    ("code", "sentence", "expected"),
    [
        (grpc.StatusCode.INTERNAL, "Stub process 'trunk_0_0' is not healthy.", Verdict.DEAD),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", Verdict.LATE),
        (grpc.StatusCode.INTERNAL, "Failed to process the request(s) for model", Verdict.ERRS),
        (grpc.StatusCode.INVALID_ARGUMENT, f"there is no task '{NO_TASK}'; known tasks: a.", Verdict.WORKS),
        (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape for input", Verdict.ERRS),
        (grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'trunk' is not found", Verdict.UNKNOWN),
        (grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'trunk' version 1 is not ready", Verdict.UNKNOWN),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses", Verdict.UNKNOWN),
    ],
)
def test_what_a_failed_probe_says_of_a_model(code, sentence, expected):
    assert verdict(TritonError(_Failed(code, sentence)), is_router=False) is expected


def test_a_router_without_a_registry_works_but_waits():
    sentence = "no registry.json has been adopted yet: ask again."
    assert verdict(TritonError(_Failed(grpc.StatusCode.UNAVAILABLE, sentence)), is_router=True) is Verdict.WAITS
    assert verdict(StreamError(sentence), is_router=True) is Verdict.WAITS


def test_a_stream_that_refuses_the_probe_works():
    assert verdict(StreamError(f"there is no task '{NO_TASK}'; known tasks: a."), is_router=True) is Verdict.WORKS
    assert verdict(None, is_router=False) is Verdict.WORKS
    assert verdict(StreamError("Stub process 'nlu_stream_0_0' is not healthy."), is_router=True) is Verdict.DEAD
