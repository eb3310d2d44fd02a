"""When to ask again, for callers over gRPC: what `retry-after` says over HTTP."""

import math

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from build_tools.serving.gate.refusal import Code

RETRY_AFTER = "retry-after"
_DETAILS = "grpc-status-details-bin"


def retry_hint(code: Code, sentence: str, seconds: float | None) -> tuple[tuple[str, str | bytes], ...]:
    """Returns the metadata that ends the call: whole seconds as `retry-after`, and google.rpc.RetryInfo.

    Source: https://cloud.google.com/apis/design/errors#error_details. None if nothing is known.
    """
    if seconds is None:
        return ()
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(round(seconds * 1e9))
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    number, _ = code.grpc.value
    status = status_pb2.Status(code=number, message=sentence, details=[detail])
    return ((RETRY_AFTER, str(max(1, math.ceil(seconds)))), (_DETAILS, status.SerializeToString()))
