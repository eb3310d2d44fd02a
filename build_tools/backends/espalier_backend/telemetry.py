"""Keeps libraries from collecting usage data and from writing an identifier to the home folder.

It imports none of them, because OpenVINO and ONNX Runtime write when they are imported.
"""

import os
import sys

# ONNX Runtime reads the first when it is loaded, huggingface_hub (for encoders and data sets of the hub) the second.
TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def turn_off_telemetry() -> None:
    """Must be called before this process imports one of the libraries."""
    os.environ.update(TELEMETRY_OFF)
    # OpenVINO has no setting. Without this package it uses a class that does nothing (openvino/tools/ovc/utils.py).
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
