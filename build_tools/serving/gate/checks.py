"""Holds a call against what its model takes. Whatever passes is safe to hand to Triton."""

import re
from collections.abc import Sequence
from math import prod

from build_tools.serving.gate.bytes_tensor import has_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.catalogue import ModelSpec
from build_tools.serving.gate.refusal import Code, RefusedError, shown

NO_TEXT = "the request has no text: give the input `text`."
MOST_PRIORITY = 2
MOST_TIMEOUT_US = 3_600_000_000  # an hour
_ID = re.compile(r"[!-~][ -~]{0,199}")
_MOST_DIMENSIONS = 8
_MOST_TENSORS = 64
# Bytes of one element of the datatypes of fixed size, as KServe v2 names them.
_SIZES = {
    "BOOL": 1,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "FP16": 2,
    "BF16": 2,
    "FP32": 4,
    "FP64": 8,
}


def checked(call: InferCall, spec: ModelSpec, most_texts: int) -> InferCall:
    """Returns the call. Raises RefusedError (INVALID) that says what is wrong with it and how to mend it."""
    if call.version not in ("", "1"):
        raise _invalid(f"there is no version {shown(call.version)}: leave the version out.")
    _check_names([tensor.name for tensor in call.inputs], spec.inputs, "input")
    for name in spec.required:
        if call.input(name) is None:
            raise _invalid(NO_TEXT if name == "text" else f"the request has no {name}: give the input `{name}`.")
    _check_names(call.outputs, spec.outputs, "output")
    if not 0 <= call.priority <= MOST_PRIORITY:
        raise _invalid(f"the priority is {call.priority}: give 1, or {MOST_PRIORITY} for what may wait.")
    if not 0 <= call.timeout_us <= MOST_TIMEOUT_US:
        raise _invalid(f"the timeout is {call.timeout_us} microseconds: give at most {MOST_TIMEOUT_US}, an hour.")
    for tensor in call.inputs:
        _check_tensor(tensor, spec, most_texts)
    texts = call.texts
    for tensor in call.inputs:
        if tensor.shape[0] != texts:
            raise _invalid(f"there are {texts} texts and {tensor.shape[0]} values of {tensor.name}: give one for each.")
    return call


def check_inner(call: InferCall) -> InferCall:
    """Returns a call of a trunk, branch or tokenizer, whose tensors fit their own shapes.

    Raises RefusedError (INVALID) if one does not. The model's backend checks the rest.
    """
    check_version(call.version)
    if max(len(call.inputs), len(call.outputs)) > _MOST_TENSORS:
        raise _invalid(f"there are more than {_MOST_TENSORS} inputs or outputs.")
    for tensor in call.inputs:
        if len(tensor.shape) > _MOST_DIMENSIONS or any(not 0 <= size < 2**31 for size in tensor.shape):
            raise _invalid(f"the input {shown(tensor.name)} has no shape that can be served.")
        size = _SIZES.get(tensor.datatype)
        if size is None and tensor.datatype != "BYTES":
            raise _invalid(f"the input {shown(tensor.name)} has no datatype that can be served.")
        elements = prod(tensor.shape)
        fits = len(tensor.raw) == elements * size if size else elements <= len(tensor.raw) // 4 + 1
        if not fits or (size is None and not has_texts(tensor.raw, elements)):
            raise _invalid(f"the input {shown(tensor.name)} holds {len(tensor.raw)} bytes, which do not fit its shape.")
    return call


def check_version(version: str) -> None:
    """Raises RefusedError (INVALID) unless this is a version's number, or empty for any version."""
    if version and not (version.isascii() and version.isdigit() and len(version) < 10):
        raise _invalid(f"{shown(version)} is not a version: give a number.")


def is_id(request_id: str) -> bool:
    """Whether a request may have this id."""
    return _ID.fullmatch(request_id) is not None


def check_id(request_id: str) -> None:
    """Raises RefusedError (INVALID) if a request's id cannot be sent on and logged."""
    if request_id and not is_id(request_id):
        raise _invalid("the request's id is not 1 to 200 printable ASCII characters.")


def _check_names(names: Sequence[str], known: object, what: str) -> None:
    if len(set(names)) < len(names):
        raise _invalid(f"the request names an {what} twice.")
    for name in names:
        if name not in known:  # type: ignore[operator]
            raise _invalid(f"there is no {what} {shown(name)}: give {', '.join(sorted(known))}.")  # type: ignore[call-overload]


def _check_tensor(tensor: Tensor, spec: ModelSpec, most_texts: int) -> None:
    name, shape = tensor.name, tensor.shape
    wanted = spec.inputs[name]
    if tensor.datatype != wanted:
        raise _invalid(f"the input {name} is of the datatype {shown(tensor.datatype)}: give {wanted}.")
    if len(shape) != 1 + len(spec.row) or shape[1:] != spec.row:
        form = ", ".join(("B", *map(str, spec.row)))
        raise _invalid(f"the input {name} has the shape {list(shape[:9])}: give [{form}] for B texts.")
    if not 1 <= shape[0] <= most_texts:
        raise _invalid(f"the input {name} has {shape[0]} values: give 1 to {most_texts} texts in one request.")
    if wanted == "BYTES":
        if not has_texts(tensor.raw, shape[0]):
            raise _invalid(f"the input {name} does not hold {shape[0]} texts, each with its length before it.")
    elif len(tensor.raw) != shape[0] or not set(tensor.raw) <= {0, 1}:
        raise _invalid(f"the input {name} does not hold {shape[0]} values, each a byte of 0 or 1.")


def _invalid(sentence: str) -> RefusedError:
    return RefusedError(Code.INVALID, sentence)
