import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment, compile_options

OUTPUTS = ["hidden_1", "hidden_2", "hidden_3"]


def test_precision_is_float32_unless_the_config_says_otherwise():
    assert compile_options({}) == {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
    assert compile_options({"INFERENCE_PRECISION_HINT": "bf16"})["INFERENCE_PRECISION_HINT"] == "bf16"


def test_known_parameters_are_taken_over_and_unknown_ones_left_out():
    options = compile_options({"INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "2", "intra_op_thread_count": "1"})

    assert options == compile_options({}) | {"INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "2"}


def test_a_wrong_value_of_a_parameter_is_an_error(trunk_file):
    with pytest.raises(RuntimeError, match="many"):
        OpenVINOSegment(trunk_file, OUTPUTS, {"NUM_STREAMS": "many"})


def test_outputs_are_those_of_onnx_runtime(trunk_file, tensors):
    session = onnxruntime.InferenceSession(str(trunk_file), providers=["CPUExecutionProvider"])
    expected = session.run(OUTPUTS, tensors)

    computed = OpenVINOSegment(trunk_file, OUTPUTS, {})(tensors)

    for name, tensor in zip(OUTPUTS, expected, strict=True):
        np.testing.assert_allclose(computed[name], tensor, atol=1e-5)


def test_a_ctrl_c_is_no_crash_after_graphs_were_let_go_in_the_order_in_which_they_came(trunk_file):
    script = f"""
import signal
from pathlib import Path
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
first, second = (OpenVINOSegment(Path({str(trunk_file)!r}), {OUTPUTS!r}, {{}}) for _ in "12")
del first
del second
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test that runs in the background inherits it ignored
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "interrupted\n")


def test_a_later_run_does_not_overwrite_the_outputs_of_an_earlier_one(trunk_file, tensors):
    segment = OpenVINOSegment(trunk_file, OUTPUTS, {})
    first = segment(tensors)
    before = first["hidden_3"].copy()

    segment(tensors | {"ids": np.array([9, 8, 6, 0])})

    np.testing.assert_array_equal(first["hidden_3"], before)
