import numpy as np
import pytest

from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment

OUTPUTS = ["hidden_1", "hidden_3"]


def test_the_outputs_named_are_computed_from_more_tensors_than_the_model_reads(trunk_file, tensors):
    segment = OnnxRuntimeSegment(trunk_file, OUTPUTS, {"intra_op_thread_count": "1", "NUM_STREAMS": "1"})

    computed = segment(tensors | {"unread": np.zeros(3)})

    assert {name: tensor.shape for name, tensor in computed.items()} == {
        "hidden_1": (4, 8),
        "hidden_3": (4, 8),
    }
    assert not computed["hidden_3"][2].any()  # the masked row
    assert computed["hidden_3"][0].any()


def test_a_wrong_number_of_threads_is_an_error(trunk_file):
    with pytest.raises(ValueError, match="many"):
        OnnxRuntimeSegment(trunk_file, OUTPUTS, {"intra_op_thread_count": "many"})


def test_memory_that_is_released_changes_no_answer(trunk_file, tensors):
    segment = OnnxRuntimeSegment(trunk_file, OUTPUTS, {})
    first = segment(tensors)
    segment.release()

    for _ in range(2):
        np.testing.assert_array_equal(segment(tensors)["hidden_3"], first["hidden_3"])
