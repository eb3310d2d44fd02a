"""The runtimes for trunk and branches, under the names of Triton's backends."""

from enum import StrEnum


class Runtime(StrEnum):
    """A backend of Triton, in its C++ form and in our Python-based one."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of config.pbtxt, for any precision.

        OpenVINO gets one stream, so that a request can use all cores. ONNX Runtime gets one thread: a spinning thread
        pool per model makes it 4 to 9 times slower where many models share few cores.
        """
        return {"NUM_STREAMS": "1"} if self is Runtime.OPENVINO else {"intra_op_thread_count": "1"}
