"""config.pbtxt of the generated models, written from Triton's protobuf.

Trunk and branches keep to the one form that NVIDIA's C++ openvino and onnxruntime backends and our Python-based ones
all take: max_batch_size 0, the batch dimension written into `dims`, default_model_filename given.
"""

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.names import COMPUTE, TRUNK_INPUTS, branch_name, embedded_config, hidden_name
from build_tools.precision import Precision, parameters
from build_tools.runtime import Runtime
from training.checkpoint import BranchRecord
from training.kinds import Kind

GRAPH_FILE = "model.onnx"
LOADED_VERSIONS = 3  # live, previous and canary
# What `tritonserver --rate-limit=execution_count --rate-limit-resource=compute:N` hands out: the processes of many
# models on few cores would fight for them. Without these flags it is ignored.
_ONE_COMPUTING_SLOT = pb.ModelRateLimiter(
    resources=[pb.ModelRateLimiter.Resource(name=COMPUTE, count=1, **{"global": True})]
)


def trunk_config(
    runtime: Runtime, taps: list[int], hidden_size: int, precision: Precision = Precision.FP32
) -> pb.ModelConfig:
    """The model `trunk`: token ids, mask and types -> hidden_<tap> for each tap."""
    inputs = [pb.ModelInput(name=name, data_type=pb.TYPE_INT64, dims=[-1, -1]) for name in TRUNK_INPUTS]
    outputs = [
        pb.ModelOutput(name=hidden_name(tap), data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]) for tap in taps
    ]
    return _graph_config("trunk", runtime, precision, inputs, outputs)


def resumable_trunk_config(config: pb.ModelConfig) -> pb.ModelConfig:
    """The same trunk for our own backends, which go on from the hidden states of a lower tap where they are given.

    A config of its own, because NVIDIA's backends refuse inputs that the graph has not.
    """
    resumable = pb.ModelConfig()
    resumable.CopyFrom(config)
    for output in config.output[:-1]:
        resumable.input.append(
            pb.ModelInput(name=output.name, data_type=output.data_type, dims=output.dims, optional=True)
        )
    return resumable


def branch_config(
    runtime: Runtime, record: BranchRecord, hidden_size: int, precision: Precision = Precision.FP32
) -> pb.ModelConfig:
    """The model `branch_<task>`: hidden states and mask -> logits."""
    inputs = [
        pb.ModelInput(name="hidden", data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]),
        pb.ModelInput(name="attention_mask", data_type=pb.TYPE_INT64, dims=[-1, -1]),
    ]
    outputs = [pb.ModelOutput(name="logits", data_type=pb.TYPE_FP32, dims=_logit_dims(record))]
    return _graph_config(branch_name(record.task), runtime, precision, inputs, outputs)


def ensemble_config(record: BranchRecord, tokenizer: str) -> pb.ModelConfig:
    """The model `<task>`: tokenizer -> trunk -> branch, for clients that want one task over plain KServe v2.

    One ensemble per task: in one for all, a missing branch would fail every task. Trunk tensors are never outputs.
    """
    texts = ["text", "pair"] if record.kind.is_pair else ["text"]
    steps = [
        _step(tokenizer, {name: name for name in texts}, [*TRUNK_INPUTS, *_passed_on(record)]),
        _step("trunk", {name: name for name in TRUNK_INPUTS}, [hidden_name(record.tap)]),
        _step(
            branch_name(record.task),
            {"hidden": hidden_name(record.tap), "attention_mask": "attention_mask"},
            ["logits"],
        ),
    ]
    outputs = [pb.ModelOutput(name="logits", data_type=pb.TYPE_FP32, dims=_logit_dims(record))]
    outputs.append(pb.ModelOutput(name="truncated", data_type=pb.TYPE_BOOL, dims=[-1]))
    if record.kind is Kind.TAGGING:
        outputs.append(pb.ModelOutput(name="offsets", data_type=pb.TYPE_INT64, dims=[-1, -1, 2]))
    return pb.ModelConfig(
        name=record.task,
        platform="ensemble",
        max_batch_size=0,
        input=[pb.ModelInput(name=name, data_type=pb.TYPE_STRING, dims=[-1]) for name in texts],
        output=outputs,
        ensemble_scheduling=pb.ModelEnsembling(step=steps),
    )


def write_config(model: Path, config: pb.ModelConfig) -> None:
    """Writes config.pbtxt into a model's folder."""
    (model / "config.pbtxt").write_text(text_format.MessageToString(config), encoding="utf-8")


def read_config(model: Path) -> pb.ModelConfig:
    """The config.pbtxt of a model's folder."""
    return text_format.Parse((model / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())


def write_trunk_configs(model: Path, config: pb.ModelConfig) -> None:
    """Writes both of the trunk's configs into its folder."""
    write_config(model, config)
    embedded = embedded_config(model)
    embedded.parent.mkdir()
    embedded.write_text(text_format.MessageToString(resumable_trunk_config(config)), encoding="utf-8")


def _graph_config(
    name: str, runtime: Runtime, precision: Precision, inputs: list[pb.ModelInput], outputs: list[pb.ModelOutput]
) -> pb.ModelConfig:
    return pb.ModelConfig(
        name=name,
        backend=runtime.value,
        max_batch_size=0,
        default_model_filename=GRAPH_FILE,
        input=inputs,
        output=outputs,
        version_policy=pb.ModelVersionPolicy(latest=pb.ModelVersionPolicy.Latest(num_versions=LOADED_VERSIONS)),
        instance_group=[
            pb.ModelInstanceGroup(kind=pb.ModelInstanceGroup.KIND_CPU, count=1, rate_limiter=_ONE_COMPUTING_SLOT)
        ],
        parameters={
            key: pb.ModelParameter(string_value=value) for key, value in parameters(runtime, precision).items()
        },
    )


def _logit_dims(record: BranchRecord) -> list[int]:
    return [-1, -1, record.outputs] if record.kind is Kind.TAGGING else [-1, record.outputs]


def _passed_on(record: BranchRecord) -> list[str]:
    """What of the tokenizer's outputs an ensemble hands to the client."""
    return ["truncated", "offsets"] if record.kind is Kind.TAGGING else ["truncated"]


def _step(model: str, inputs: dict[str, str], outputs: list[str]) -> pb.ModelEnsembling.Step:
    return pb.ModelEnsembling.Step(
        model_name=model, model_version=-1, input_map=inputs, output_map={name: name for name in outputs}
    )
