"""A repository for a GPU, as far as a CPU can make one: built, published to and compacted, it stays for a GPU."""

import onnx
import pytest
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.build.builder import build
from build_tools.compaction.compact import compact
from build_tools.errors import BuildError
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.repository.device import Device
from build_tools.repository.precision import Precision
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import read_config


def _on_gpu(repository):
    """The models with an instance on a GPU."""
    models = sorted(file.parent for file in repository.glob("*/config.pbtxt"))
    return [
        model.name
        for model in models
        if any(one.kind == pb.ModelInstanceGroup.KIND_GPU for one in read_config(model).instance_group)
    ]


def _floats(file):
    return {weight.data_type for weight in onnx.load(file, load_external_data=False).graph.initializer} & {
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
    }


def test_what_is_built_published_and_compacted_is_in_fp16_and_on_a_gpu(checkpoints, tmp_path):
    repository, server = tmp_path / "repository", NoServer()
    build([checkpoints("intent")], repository, None, Runtime.ONNXRUNTIME, Precision.FP16, device=Device.GPU)
    assert _on_gpu(repository) == ["branch_intent", "trunk"]

    publish(checkpoints("intent", seed=1), repository, server)
    publish(checkpoints("mood", tap=2), repository, server)
    with pytest.raises(BuildError, match="graphs for a GPU are in fp16 or fp32"):
        publish(checkpoints("other"), repository, server, precision=Precision.INT8)
    compact(repository, server)

    registry = read_registry(repository)
    assert registry.device is Device.GPU
    assert registry.tasks["intent"].live_version.precision is Precision.FP16  # taken over from the version before
    assert _on_gpu(repository) == ["branch_intent", "branch_mood", "fused", "trunk"]
    graphs = [*repository.glob("*/*/model.onnx"), *repository.glob("*/*/rows.onnx")]
    assert len(graphs) == 6
    assert all(_floats(file) == {TensorProto.FLOAT16} for file in graphs)


def test_fp16_is_refused_for_a_cpu_before_anything_is_made(checkpoints, tmp_path):
    with pytest.raises(BuildError, match="--device gpu"):
        build([checkpoints("intent")], tmp_path / "repository", None, Runtime.ONNXRUNTIME, Precision.FP16)

    assert not (tmp_path / "repository").exists()
