import json

import pytest

from build_tools.errors import BuildError
from build_tools.repository.device import Device, check_device
from build_tools.repository.precision import Precision
from build_tools.repository.registry import REGISTRY, Registry, read_registry, write_registry
from build_tools.repository.runtime import Runtime


@pytest.mark.parametrize("device", Device)
def test_what_a_device_runs_by_default_runs_there(device):
    check_device(device, device.runtime, device.precision)


@pytest.mark.parametrize(
    ("device", "runtime", "precision", "fix"),
    [
        (Device.GPU, Runtime.OPENVINO, Precision.FP16, "use --runtime onnxruntime"),
        (Device.GPU, Runtime.ONNXRUNTIME, Precision.INT8, "use --precision fp16"),
        (Device.GPU, Runtime.ONNXRUNTIME, Precision.AUTO, "use --precision fp16"),
        (Device.CPU, Runtime.ONNXRUNTIME, Precision.FP16, "--device gpu"),
    ],
)
def test_what_does_not_run_on_a_device_is_refused_with_what_does(device, runtime, precision, fix):
    with pytest.raises(BuildError, match=fix) as caught:
        check_device(device, runtime, precision)

    assert "\n" not in str(caught.value)


def test_a_registry_of_an_earlier_release_is_for_a_cpu(tmp_path):
    write_registry(tmp_path, Registry(runtime="onnxruntime", device=Device.GPU, trunks={}, tasks={}))
    assert read_registry(tmp_path).device is Device.GPU

    content = json.loads((tmp_path / REGISTRY).read_text(encoding="utf-8"))
    assert content.pop("device") == "gpu"
    (tmp_path / REGISTRY).write_text(json.dumps(content), encoding="utf-8")

    assert read_registry(tmp_path).device is Device.CPU
