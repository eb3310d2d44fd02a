"""What passes the checks fits the model, whatever was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import refused

from build_tools.serving.gate.bytes_tensor import has_texts, pack_texts, unpack_texts
from build_tools.serving.gate.call import InferCall, Tensor
from build_tools.serving.gate.catalogue import ModelSpec
from build_tools.serving.gate.checks import NO_TEXT, check_id, check_inner, checked
from build_tools.serving.gate.refusal import Code, RefusedError

INPUTS = {"text": "BYTES", "pair": "BYTES", "tasks": "BYTES", "all_scores": "BOOL"}
ROUTER = ModelSpec(INPUTS, ("text",), frozenset({"result"}), (1,))
PAIRS = ModelSpec({"text": "BYTES", "pair": "BYTES"}, ("text", "pair"), frozenset({"logits"}))
TEXT = Tensor("text", "BYTES", (2, 1), pack_texts([b"a", b"bc"]))


def _refusal(call: InferCall, spec: ModelSpec = ROUTER, most: int = 64) -> str:
    with pytest.raises(RefusedError) as refusal:
        checked(call, spec, most)
    assert refusal.value.code is Code.INVALID
    return refusal.value.sentence


def test_a_good_call_passes() -> None:
    flags = Tensor("all_scores", "BOOL", (2, 1), b"\x00\x01")
    call = InferCall("nlu", "1", inputs=[TEXT, flags], outputs=["result"], timeout_us=5, priority=2)
    assert checked(call, ROUTER, 64) == call


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (InferCall("nlu"), NO_TEXT),
        (InferCall("nlu", inputs=[TEXT, TEXT]), "an input twice"),
        (
            InferCall("nlu", inputs=[TEXT, Tensor("task", "BYTES", (2, 1), TEXT.raw)]),
            "no input 'task': give all_scores",
        ),
        (InferCall("nlu", inputs=[TEXT], outputs=["logits"]), "no output 'logits': give result"),
        (InferCall("nlu", "2", inputs=[TEXT]), "no version '2'"),
        (InferCall("nlu", inputs=[TEXT], priority=3), "priority is 3"),
        (InferCall("nlu", inputs=[TEXT], timeout_us=-1), "timeout is -1"),
        (InferCall("nlu", inputs=[TEXT], timeout_us=2**63), "an hour"),
        (InferCall("nlu", inputs=[Tensor("text", "FP32", (2, 1), b"")]), "datatype 'FP32': give BYTES"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (2,), TEXT.raw)]), "shape [2]: give [B, 1]"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (1, 2), TEXT.raw)]), "shape [1, 2]: give [B, 1]"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (2**63 - 1, 1), b"")]), "give 1 to 64 texts"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (0, 1), b"")]), "give 1 to 64 texts"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (-1, 1), b"")]), "give 1 to 64 texts"),
        (InferCall("nlu", inputs=[Tensor("text", "BYTES", (2, 1), TEXT.raw[:-1])]), "does not hold 2 texts"),
        (InferCall("nlu", inputs=[TEXT, Tensor("pair", "BYTES", (1, 1), pack_texts([b"x"]))]), "2 texts and 1 values"),
        (InferCall("nlu", inputs=[TEXT, Tensor("all_scores", "BOOL", (2, 1), b"\x02\x00")]), "each a byte of 0 or 1"),
        (InferCall("nlu", inputs=[TEXT, Tensor("all_scores", "BOOL", (2, 1), b"\x01")]), "each a byte of 0 or 1"),
    ],
)
def test_a_fault_is_said_in_one_sentence(call: InferCall, sentence: str) -> None:
    assert sentence in _refusal(call)


def test_a_pair_task_needs_its_pair() -> None:
    text = Tensor("text", "BYTES", (1,), pack_texts([b"a"]))
    assert "give the input `pair`" in _refusal(InferCall("same", inputs=[text]), PAIRS)


def test_the_bound_on_texts_is_the_server_s() -> None:
    assert "give 1 to 1 texts" in _refusal(InferCall("nlu", inputs=[TEXT]), most=1)


@pytest.mark.parametrize("request_id", ["a\nb", "\0", "ü", " a", "x" * 201, "\x7f"])
def test_an_id_that_would_spoil_logs_is_refused(request_id: str) -> None:
    with pytest.raises(RefusedError):
        check_id(request_id)


@given(
    st.sampled_from(["text", "pair", "tasks", "all_scores", "x"]),
    st.sampled_from(["BYTES", "BOOL", "FP32", ""]),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=3),
    st.binary(max_size=40) | st.lists(st.binary(max_size=4), max_size=3).map(pack_texts),
)
def test_whatever_passes_holds_as_many_texts_as_its_shape_says(
    name: str, datatype: str, shape: list[int], raw: bytes
) -> None:
    call = InferCall("nlu", inputs=[TEXT, Tensor(name, datatype, tuple(shape), raw)])
    if refused(lambda: checked(call, ROUTER, 64)) is None:
        assert shape == [2, 1]
        assert len(raw) == 2 if datatype == "BOOL" else len(unpack_texts(raw)) == 2


@given(
    st.sampled_from(["BYTES", "BOOL", "FP32", "INT64", "FP16", "x"]),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=9),
    st.binary(max_size=64),
)
def test_a_tensor_for_a_branch_passes_only_if_its_bytes_fit_its_shape(
    datatype: str, shape: list[int], raw: bytes
) -> None:
    tensor = Tensor("hidden", datatype, tuple(shape), raw)
    if refused(lambda: check_inner(InferCall("branch_intent", inputs=[tensor]))) is not None:
        return
    elements = 1
    for size in shape:
        assert size >= 0
        elements *= size
    sizes = {"BOOL": 1, "FP16": 2, "FP32": 4, "INT64": 8}
    assert len(unpack_texts(raw)) == elements if datatype == "BYTES" else len(raw) == elements * sizes[datatype]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_texts_come_back_as_they_were_packed(texts: list[bytes]) -> None:
    raw = pack_texts(texts)
    assert unpack_texts(raw) == texts
    assert has_texts(raw, len(texts))
    assert not has_texts(raw, len(texts) + 1)
    assert not has_texts(raw + b"x", len(texts))
