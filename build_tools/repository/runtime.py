"""What runs trunk and branches: the names are those of Triton's backends."""

from enum import StrEnum


class Runtime(StrEnum):
    """A backend of Triton, in its C++ form and in our Python-based one."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of config.pbtxt.

        One stream, so that a request has all cores; and for ONNX Runtime no spinning pool of threads per model, which
        costs 4 to 9 times the speed where many models share few cores.
        """
        return {"NUM_STREAMS": "1"} if self is Runtime.OPENVINO else {"intra_op_thread_count": "1"}
