"""Several calls of a router as one, and its answer as theirs."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from tritonclient.grpc import service_pb2

from build_tools.serving.gate.bytes_tensor import pack_texts, unpack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.refusal import OutOfTimeError, RefusedError


def joined(calls: Sequence[InferCall]) -> InferCall:
    """Returns one call with the texts of all, in their order. Each must have the same inputs.

    Its id is made of theirs, so that the server's logs can be searched for each.
    """
    if len(calls) == 1:
        return calls[0]
    inputs = []
    for first in calls[0].inputs:
        parts = [part for call in calls if (part := call.input(first.name)) is not None]
        rows = sum(part.shape[0] for part in parts)
        raw = b"".join(part.raw for part in parts)
        inputs.append(Tensor(first.name, first.datatype, (rows, *first.shape[1:]), raw))
    return replace(calls[0], id=_id(calls), inputs=inputs, outputs=())


def answers_of(answer: bytes, calls: Sequence[InferCall]) -> list[bytes]:
    """Returns a ModelInferResponse for each of these calls, from that to the joined one.

    Raises RuntimeError if it does not hold one result for each text.
    """
    whole = service_pb2.ModelInferResponse.FromString(answer)
    results = unpack_texts(whole.raw_output_contents[0]) if len(whole.raw_output_contents) == 1 else []
    texts = sum(call.texts for call in calls)
    if len(results) != texts:
        raise RuntimeError(f"the router gave {len(results)} results for {texts} texts")
    everyone = _in_json(_id(calls))
    answers, place = [], 0
    for call in calls:
        own = [one.replace(everyone, _in_json(call.id)) for one in results[place : place + call.texts]]
        place += call.texts
        response = service_pb2.ModelInferResponse(
            model_name=whole.model_name, model_version=whole.model_version, id=call.id
        )
        output = whole.outputs[0]
        response.outputs.add(name=output.name, datatype=output.datatype, shape=(call.texts, *output.shape[1:]))
        response.raw_output_contents.append(pack_texts(own))
        answers.append(response.SerializeToString())
    return answers


def told_to(call: InferCall, error: RefusedError, calls: Sequence[InferCall]) -> RefusedError:
    """Returns the refusal of these calls for one of them: nobody learns the others' ids."""
    sentence = error.sentence.replace(_id(calls), call.id)
    if isinstance(error, OutOfTimeError):
        return OutOfTimeError(sentence)
    return RefusedError(error.code, sentence, error.retry_after)


def _id(calls: Sequence[InferCall]) -> str:
    return ",".join(call.id for call in calls)


def _in_json(text: str) -> bytes:
    """As a part of a string in JSON."""
    return orjson.dumps(text)[1:-1]
