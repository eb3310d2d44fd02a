"""config.pbtxt of the generated models, written from Triton's protobuf.

Trunk and branches keep to the one form that NVIDIA's C++ openvino and onnxruntime backends and our Python-based ones
all take: max_batch_size 0, the batch dimension written into `dims`, default_model_filename given.
"""

import hashlib
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.repository.names import COMPUTE, TRUNK, TRUNK_INPUTS, embedded_config, hidden_name
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.registry import VersionEntry
from build_tools.repository.runtime import Runtime
from training.atomic_write import replace_file
from training.kinds import Kind

GRAPH_FILE = "model.onnx"
NEWEST = -1
# What `tritonserver --rate-limit=execution_count --rate-limit-resource=compute:N` hands out: the processes of many
# models on few cores would fight for them. Without these flags it is ignored.
_ONE_COMPUTING_SLOT = pb.ModelRateLimiter(
    resources=[pb.ModelRateLimiter.Resource(name=COMPUTE, count=1, **{"global": True})]
)


def trunk_config(
    runtime: Runtime,
    taps: list[int],
    hidden_size: int,
    precision: Precision = Precision.FP32,
    name: str = TRUNK,
    version: int = 1,
) -> pb.ModelConfig:
    """A trunk: token ids, mask and types -> hidden_<tap> for each tap.

    One version is loaded: a later one has more outputs, which the graph of an earlier one has not.
    """
    inputs = [pb.ModelInput(name=name, data_type=pb.TYPE_INT64, dims=[-1, -1]) for name in TRUNK_INPUTS]
    outputs = [
        pb.ModelOutput(name=hidden_name(tap), data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]) for tap in taps
    ]
    return _graph_config(name, runtime, precision, inputs, outputs, [version])


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


def branch_config(runtime: Runtime, version: VersionEntry, hidden_size: int, loaded: list[int]) -> pb.ModelConfig:
    """The model that holds a branch: hidden states and mask -> logits. loaded: the versions that Triton is to hold."""
    inputs = [
        pb.ModelInput(name="hidden", data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]),
        pb.ModelInput(name="attention_mask", data_type=pb.TYPE_INT64, dims=[-1, -1]),
    ]
    outputs = [pb.ModelOutput(name="logits", data_type=pb.TYPE_FP32, dims=_logit_dims(version))]
    return _graph_config(version.model, runtime, version.precision, inputs, outputs, loaded)


def ensemble_config(task: str, live: int, version: VersionEntry, tokenizer: str) -> pb.ModelConfig:
    """The model `<task>`: tokenizer -> trunk -> branch, for clients that want one task over plain KServe v2.

    One ensemble per task: in one for all, a missing branch would fail every task. Trunk tensors are never outputs. The
    branch is named with its version: the newest one need not be the live one.
    """
    texts = ["text", "pair"] if version.kind.is_pair else ["text"]
    steps = [
        _step(tokenizer, {name: name for name in texts}, [*TRUNK_INPUTS, *_passed_on(version.kind)]),
        _step(version.trunk, {name: name for name in TRUNK_INPUTS}, [hidden_name(version.tap)]),
        _step(
            version.model,
            {"hidden": hidden_name(version.tap), "attention_mask": "attention_mask"},
            ["logits"],
            live,
        ),
    ]
    outputs = [pb.ModelOutput(name="logits", data_type=pb.TYPE_FP32, dims=_logit_dims(version))]
    outputs.append(pb.ModelOutput(name="truncated", data_type=pb.TYPE_BOOL, dims=[-1]))
    if version.kind is Kind.TAGGING:
        outputs.append(pb.ModelOutput(name="offsets", data_type=pb.TYPE_INT64, dims=[-1, -1, 2]))
    return pb.ModelConfig(
        name=task,
        platform="ensemble",
        max_batch_size=0,
        input=[pb.ModelInput(name=name, data_type=pb.TYPE_STRING, dims=[-1]) for name in texts],
        output=outputs,
        ensemble_scheduling=pb.ModelEnsembling(step=steps),
    )


def with_versions(config: pb.ModelConfig, versions: list[int]) -> pb.ModelConfig:
    """The same config with these versions to be loaded.

    Triton does not load a version anew for that (ConfigChangeRequiresReload in its core, release 24.10).
    """
    changed = pb.ModelConfig()
    changed.CopyFrom(config)
    changed.version_policy.specific.versions[:] = versions
    return changed


def write_config(model: Path, config: pb.ModelConfig) -> None:
    """Writes config.pbtxt into a model's folder, at once."""
    put_config(model.parent, model / "config.pbtxt", config)


def trunk_configs(model: Path, config: pb.ModelConfig) -> dict[Path, pb.ModelConfig]:
    """{file: config} of a trunk's folder, which has two."""
    return {model / "config.pbtxt": config, embedded_config(model): resumable_trunk_config(config)}


def write_trunk_configs(model: Path, config: pb.ModelConfig) -> None:
    """Writes both of a trunk's configs into its folder."""
    for file, one in trunk_configs(model, config).items():
        put_config(model.parent, file, one)


def put_config(repository: Path, file: Path, config: pb.ModelConfig) -> None:
    """Writes a config at once, staged outside the model's folder: Triton never reads a part."""
    file.parent.mkdir(exist_ok=True)
    replace_file(file, text_format.MessageToString(config), staged_in=repository)


def config_sha256(config: pb.ModelConfig) -> str:
    """The SHA-256 of the file that a config is written as."""
    return hashlib.sha256(text_format.MessageToString(config).encode()).hexdigest()


def is_config(file: Path, config: pb.ModelConfig) -> bool:
    """Whether this config stands there."""
    return file.is_file() and _parsed(file) == config


def read_config(model: Path) -> pb.ModelConfig:
    """The config.pbtxt of a model's folder. Raises BuildError if it is damaged."""
    return _parsed(model / "config.pbtxt")


def _parsed(file: Path) -> pb.ModelConfig:
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise BuildError(f"{file} is damaged ({error}): build the repository again.") from error


def _graph_config(
    name: str,
    runtime: Runtime,
    precision: Precision,
    inputs: list[pb.ModelInput],
    outputs: list[pb.ModelOutput],
    versions: list[int],
) -> pb.ModelConfig:
    return pb.ModelConfig(
        name=name,
        backend=runtime.value,
        max_batch_size=0,
        default_model_filename=GRAPH_FILE,
        input=inputs,
        output=outputs,
        version_policy=pb.ModelVersionPolicy(specific=pb.ModelVersionPolicy.Specific(versions=versions)),
        instance_group=[
            pb.ModelInstanceGroup(kind=pb.ModelInstanceGroup.KIND_CPU, count=1, rate_limiter=_ONE_COMPUTING_SLOT)
        ],
        parameters={
            key: pb.ModelParameter(string_value=value) for key, value in parameters(runtime, precision).items()
        },
    )


def _logit_dims(version: VersionEntry) -> list[int]:
    return [-1, -1, version.outputs] if version.kind is Kind.TAGGING else [-1, version.outputs]


def _passed_on(kind: Kind) -> list[str]:
    """What of the tokenizer's outputs an ensemble hands to the client."""
    return ["truncated", "offsets"] if kind is Kind.TAGGING else ["truncated"]


def _step(model: str, inputs: dict[str, str], outputs: list[str], version: int = NEWEST) -> pb.ModelEnsembling.Step:
    return pb.ModelEnsembling.Step(
        model_name=model, model_version=version, input_map=inputs, output_map={name: name for name in outputs}
    )
