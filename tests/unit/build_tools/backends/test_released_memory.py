import threading
import time

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from build_tools.backends.espalier_backend import released_memory
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.backends.espalier_backend.released_memory import ReleasedMemory, give_back

PATIENCE = 10.0
WIDTH = 256


def _megabytes():
    return psutil.Process().memory_info().rss / 1e6


def test_what_openvino_keeps_of_a_large_call_goes_back_to_the_system_and_the_next_answer_is_the_same(tmp_path):
    weights = numpy_helper.from_array(np.eye(WIDTH, dtype=np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Tanh", ["y"], ["z"]),
        helper.make_node("ReduceMean", ["z"], ["logits"], axes=[1], keepdims=1),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", WIDTH), ("logits", 1))
    ]
    graph = helper.make_graph(nodes, "large", ports[:1], ports[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    segment = OpenVINOSegment(tmp_path / "m.onnx", ["logits"], {"INFERENCE_NUM_THREADS": "1"})
    x = np.ones((2, WIDTH), np.float32)
    expected = segment({"x": x})["logits"].copy()
    give_back()
    before = _megabytes()
    segment({"x": np.ones((100_000, WIDTH), np.float32)})
    give_back()
    grown = _megabytes() - before

    segment.release()
    give_back()

    assert grown > 50, "else this test proves nothing"
    assert _megabytes() - before < grown / 2
    np.testing.assert_array_equal(segment({"x": x})["logits"], expected)


@pytest.fixture
def released(monkeypatch):
    monkeypatch.setattr(released_memory, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(released_memory, "give_back", lambda: None)
    return []


def test_it_waits_until_there_are_no_more_large_calls_and_is_done_once(released, monkeypatch):
    monkeypatch.setattr(released_memory, "_QUIET_SECONDS", 60.0)  # it is never quiet between these calls
    memory = ReleasedMemory(lambda: released.append(threading.current_thread()))
    for _ in range(20):
        memory.after(2048)
        time.sleep(0.01)
    assert released == []

    monkeypatch.setattr(released_memory, "_QUIET_SECONDS", 0.1)
    memory.after(2048)
    deadline = time.monotonic() + PATIENCE
    while not released and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(released) == 1
    assert threading.current_thread() not in released, "no request waits for it"


def test_after_small_calls_there_is_nothing_to_give_back(released):
    memory = ReleasedMemory(lambda: released.append(1))
    for _ in range(20):
        memory.after(100)
    time.sleep(0.2)
    assert released == []
