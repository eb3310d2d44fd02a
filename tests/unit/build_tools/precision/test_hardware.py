import pytest

from build_tools.errors import BuildError
from build_tools.precision import hardware as module
from build_tools.precision.hardware import available_precisions
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


@pytest.fixture
def processor(monkeypatch):
    """processor(*abilities) pretends that the processor has these."""

    def processor(*abilities):
        monkeypatch.setattr(module, "_has_bf16", lambda: "bf16" in abilities)
        monkeypatch.setattr(module, "_has_int8", lambda: "int8" in abilities)

    return processor


def test_auto_tries_what_runtime_and_processor_can_do_and_fp32_always(processor):
    fp32, bf16, int8 = Precision.FP32, Precision.BF16, Precision.INT8
    processor("bf16", "int8")
    assert available_precisions(Precision.AUTO, Runtime.OPENVINO) == [fp32, bf16, int8]
    assert available_precisions(Precision.AUTO, Runtime.ONNXRUNTIME) == [fp32, int8]
    processor("bf16")
    assert available_precisions(Precision.AUTO, Runtime.OPENVINO) == [fp32, bf16]
    processor()
    assert available_precisions(Precision.AUTO, Runtime.OPENVINO) == [fp32]


@pytest.mark.parametrize("wanted", [Precision.FP32, Precision.BF16, Precision.INT8, Precision.W8])
def test_a_precision_that_is_named_is_the_only_one_tried(processor, wanted):
    processor("bf16", "int8")

    assert available_precisions(wanted, Runtime.OPENVINO) == [wanted]


@pytest.mark.parametrize(
    ("wanted", "runtime", "reason"),
    [
        (Precision.BF16, Runtime.ONNXRUNTIME, "ONNX Runtime computes no bf16 on a CPU"),
        (Precision.BF16, Runtime.OPENVINO, "this processor has no bf16"),
        (Precision.FP16, Runtime.OPENVINO, "fp16 is for GPUs"),
        (Precision.W8, Runtime.ONNXRUNTIME, "ONNX Runtime would make the weights floats again"),
        (Precision.INT8, Runtime.OPENVINO, "this processor has no 8-bit dot product"),
        (Precision.INT8, Runtime.ONNXRUNTIME, "this processor has no 8-bit dot product"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence_that_names_what_can(processor, wanted, runtime, reason):
    processor()

    with pytest.raises(BuildError, match=f"^{reason}.*use --precision") as caught:
        available_precisions(wanted, runtime)

    assert "\n" not in str(caught.value)


def test_openvino_is_asked_whether_the_processor_has_bf16(monkeypatch):
    import openvino

    asked = []

    class Core:
        def get_property(self, device, name):
            asked.append((device, name))
            return ["FP32", "INT8"] + ["BF16"] * (len(asked) > 1)

    monkeypatch.setattr(openvino, "Core", Core)

    assert [module._has_bf16(), module._has_bf16()] == [False, True]
    assert set(asked) == {("CPU", "OPTIMIZATION_CAPABILITIES")}


@pytest.mark.parametrize(
    ("machine", "processors", "has"),
    [
        ("x86_64", "processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n\n", True),
        ("x86_64", "processor\t: 0\nflags\t\t: fpu avx2 avx_vnni sse\n\n", True),
        ("x86_64", "processor\t: 0\nmodel name\t: avx_vnni\nflags\t\t: fpu avx2\n\n", False),
        ("x86_64", "", False),
        ("aarch64", "Features\t: asimd\n", True),
    ],
)
def test_int8_wants_a_dot_product_that_does_not_overflow(monkeypatch, tmp_path, machine, processors, has):
    (tmp_path / "cpuinfo").write_text(processors)
    monkeypatch.setattr(module, "_PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr(module.platform, "machine", lambda: machine)

    assert module._has_int8() is has
