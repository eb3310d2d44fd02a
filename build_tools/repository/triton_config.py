"""config.pbtxt of the generated models, written from Triton's protobuf.

Trunk and branches use the one form that NVIDIA's C++ openvino and onnxruntime backends and our Python-based ones all
accept: max_batch_size 0, the batch dimension written into `dims`, default_model_filename given.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.repository.device import Device
from build_tools.repository.names import (
    ASKED,
    COMPUTE,
    MASK,
    TRUNK,
    TRUNK_INPUTS,
    embedded_config,
    hidden_name,
    logits_name,
)
from build_tools.repository.precision import Precision, parameters
from build_tools.repository.registry import FusedEntry, TrunkEntry, VersionEntry
from build_tools.repository.runtime import Runtime
from training.atomic_write import replace_file
from training.kinds import Kind

GRAPH_FILE = "model.onnx"
ROWS_FILE = "rows.onnx"  # of a fused model, beside it: the graph for our own backends
NEWEST = -1
NO_LIMITS: Mapping[str, int] = MappingProxyType({})
NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
# With `tritonserver --rate-limit=execution_count --rate-limit-resource=compute:N`, at most N models compute at once, so
# that the processes of many models do not compete for few cores. Without these flags Triton ignores it.
_ONE_COMPUTING_SLOT = pb.ModelRateLimiter(
    resources=[pb.ModelRateLimiter.Resource(name=COMPUTE, count=1, **{"global": True})]
)
# On a GPU the CUDA execution provider computes; the backend takes it for KIND_GPU. It has a stream for each model, and
# no cores to compete for.
_INSTANCES = {
    Device.CPU: pb.ModelInstanceGroup(kind=pb.ModelInstanceGroup.KIND_CPU, count=1, rate_limiter=_ONE_COMPUTING_SLOT),
    Device.GPU: pb.ModelInstanceGroup(kind=pb.ModelInstanceGroup.KIND_GPU, count=1),
}
_WARM_UP_SHAPES = ((1, 16), (32, 32))  # rows, tokens


def trunk_config(
    runtime: Runtime,
    taps: list[int],
    hidden_size: int,
    precision: Precision = Precision.FP32,
    name: str = TRUNK,
    version: int = 1,
    limits: Mapping[str, int] = NO_LIMITS,
    device: Device = Device.CPU,
) -> pb.ModelConfig:
    """Returns the config of a trunk: token ids, mask and types -> hidden_<tap> for each tap.

    Only one version is loaded: a later version has more outputs than the graph of an earlier one. limits: those of the
    TrunkEntry; our own backends refuse what exceeds them, NVIDIA's ignore them.
    """
    inputs = [pb.ModelInput(name=name, data_type=pb.TYPE_INT64, dims=[-1, -1]) for name in TRUNK_INPUTS]
    outputs = [
        pb.ModelOutput(name=hidden_name(tap), data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]) for tap in taps
    ]
    config = _graph_config(name, runtime, precision, device, inputs, outputs, [version])
    for limit, value in limits.items():
        config.parameters[limit].string_value = str(value)
    return config


def config_of_trunk(name: str, trunk: TrunkEntry, runtime: Runtime, device: Device) -> pb.ModelConfig:
    """Returns the config of a trunk as its entry in the registry says. name: of the Triton model."""
    return trunk_config(
        runtime, trunk.taps, trunk.hidden_size, trunk.precision, name, trunk.version, trunk.limits, device
    )


def resumable_trunk_config(config: pb.ModelConfig) -> pb.ModelConfig:
    """Returns the config of the same trunk for our own backends, which can continue from the hidden states of a tap.

    Each output but the deepest becomes an optional input. NVIDIA's backends refuse inputs that the graph does not have.
    """
    resumable = pb.ModelConfig()
    resumable.CopyFrom(config)
    for output in config.output[:-1]:
        resumable.input.append(
            pb.ModelInput(name=output.name, data_type=output.data_type, dims=output.dims, optional=True)
        )
    return resumable


def fused_config(
    runtime: Runtime,
    trunk: TrunkEntry,
    fused: FusedEntry,
    versions: Mapping[str, VersionEntry],
    given: Mapping[str, str] = NO_PARAMETERS,
    device: Device = Device.CPU,
) -> pb.ModelConfig:
    """Returns the config of a trunk with branches in it: hidden_<tap> for each tap, logits_<task> for each task.

    versions: {task: its version in the graph}. given: parameters for the precisions in it (`common_parameters`).
    """
    config = trunk_config(
        runtime, fused.taps, trunk.hidden_size, trunk.precision, fused.model, fused.version, trunk.limits, device
    )
    for name, value in given.items():
        config.parameters[name].string_value = value
    for task, version in sorted(versions.items()):
        config.output.append(pb.ModelOutput(name=logits_name(task), data_type=pb.TYPE_FP32, dims=_logit_dims(version)))
        config.parameters[f"{logits_name(task)}_tap"].string_value = str(version.tap)
    return config


def selectable_fused_config(config: pb.ModelConfig) -> pb.ModelConfig:
    """Returns the config of the same model for our own backends, which compute only the rows that ask for an output.

    They run another graph on the same weights. `asked` has a column for each task and then for each tap; without it all
    rows ask for all outputs of the request. As in a trunk, each hidden_<tap> but the deepest is an optional input, in
    place of token ids and types.
    """
    hidden = [output for output in config.output if not output.name.startswith(logits_name(""))]
    selectable = pb.ModelConfig()
    selectable.CopyFrom(config)
    selectable.default_model_filename = ROWS_FILE
    for tensor in selectable.input:
        tensor.optional = tensor.name != MASK
    selectable.input.append(
        pb.ModelInput(name=ASKED, data_type=pb.TYPE_BOOL, dims=[-1, len(config.output)], optional=True)
    )
    for output in hidden[:-1]:
        selectable.input.append(
            pb.ModelInput(name=output.name, data_type=output.data_type, dims=output.dims, optional=True)
        )
    return selectable


def branch_config(
    runtime: Runtime, version: VersionEntry, hidden_size: int, loaded: list[int], device: Device = Device.CPU
) -> pb.ModelConfig:
    """Returns the config of the model that holds a branch: hidden states and mask -> logits.

    loaded: the versions that Triton loads.
    """
    inputs = [
        pb.ModelInput(name="hidden", data_type=pb.TYPE_FP32, dims=[-1, -1, hidden_size]),
        pb.ModelInput(name=MASK, data_type=pb.TYPE_INT64, dims=[-1, -1]),
    ]
    outputs = [pb.ModelOutput(name="logits", data_type=pb.TYPE_FP32, dims=_logit_dims(version))]
    return _graph_config(version.model, runtime, version.precision, device, inputs, outputs, loaded)


def ensemble_config(
    task: str, live: int, version: VersionEntry, tokenizer: str, fused: FusedEntry | None = None
) -> pb.ModelConfig:
    """Returns the config of the model `<task>`: tokenizer -> trunk -> branch, for clients of plain KServe v2.

    fused: the trunk's fused graph; it stands in for the trunk if it gives out the tap, and for both if this version is
    in it. Each task has its own ensemble: in a common one, a missing branch would fail every task. Trunk tensors are
    never outputs. The branch's version is given, because the newest one need not be the live one.
    """
    texts = ["text", "pair"] if version.kind.is_pair else ["text"]
    tokens = {name: name for name in TRUNK_INPUTS}
    steps = [_step(tokenizer, {name: name for name in texts}, [*TRUNK_INPUTS, *_passed_on(version.kind)])]
    if fused is not None and fused.tasks.get(task) == live:
        steps.append(_step(fused.model, tokens, [logits_name(task)], fused.version))
        steps[-1].output_map[logits_name(task)] = "logits"
    else:
        hidden = hidden_name(version.tap)
        if fused is not None and version.tap in fused.taps:
            steps.append(_step(fused.model, tokens, [hidden], fused.version))
        else:
            steps.append(_step(version.trunk, tokens, [hidden]))
        steps.append(_step(version.model, {"hidden": hidden, MASK: MASK}, ["logits"], live))
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
    """Returns the same config with another list of versions to load.

    Triton does not reload the versions that stay (ConfigChangeRequiresReload in its core, release 24.10).
    """
    changed = pb.ModelConfig()
    changed.CopyFrom(config)
    changed.version_policy.specific.versions[:] = versions
    return changed


def write_config(model: Path, config: pb.ModelConfig) -> None:
    """Writes config.pbtxt into a model's folder, atomically."""
    put_config(model.parent, model / "config.pbtxt", config)


def trunk_configs(model: Path, config: pb.ModelConfig) -> dict[Path, pb.ModelConfig]:
    """Returns {file: config} for both configs of a trunk."""
    return {model / "config.pbtxt": config, embedded_config(model): resumable_trunk_config(config)}


def fused_configs(model: Path, config: pb.ModelConfig) -> dict[Path, pb.ModelConfig]:
    """Returns {file: config} for both configs of a fused model."""
    return {model / "config.pbtxt": config, embedded_config(model): selectable_fused_config(config)}


def write_trunk_configs(model: Path, config: pb.ModelConfig) -> None:
    """Writes both of a trunk's configs into its folder."""
    for file, one in trunk_configs(model, config).items():
        put_config(model.parent, file, one)


def put_config(repository: Path, file: Path, config: pb.ModelConfig) -> None:
    """Writes a config atomically, staged outside the model's folder: Triton never reads a part."""
    file.parent.mkdir(exist_ok=True)
    replace_file(file, text_format.MessageToString(config), staged_in=repository)


def config_sha256(config: pb.ModelConfig) -> str:
    """Returns the SHA-256 of the file that `write_config` makes of a config."""
    return hashlib.sha256(text_format.MessageToString(config).encode()).hexdigest()


def is_config(file: Path, config: pb.ModelConfig) -> bool:
    """Whether the file holds this config."""
    return file.is_file() and _parsed(file) == config


def read_config(model: Path) -> pb.ModelConfig:
    """Returns the config.pbtxt of a model's folder. Raises BuildError if it is damaged."""
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
    device: Device,
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
        instance_group=[_INSTANCES[device]],
        model_warmup=_warm_up(inputs) if device is Device.GPU else [],
        parameters={
            key: pb.ModelParameter(string_value=value) for key, value in parameters(runtime, precision).items()
        },
    )


def _warm_up(inputs: list[pb.ModelInput]) -> list[pb.ModelWarmup]:
    """Requests that Triton makes before the model is ready: the first on a GPU loads kernels, which takes seconds.

    They are zeros, the only data without a file that are valid token ids.
    """
    return [
        pb.ModelWarmup(
            name=f"{rows}x{tokens}",
            batch_size=1,  # the rows are in dims, as everywhere where max_batch_size is 0
            inputs={
                one.name: pb.ModelWarmup.Input(
                    data_type=one.data_type, dims=[rows, tokens, *one.dims[2:]], zero_data=True
                )
                for one in inputs
            },
        )
        for rows, tokens in _WARM_UP_SHAPES
    ]


def _logit_dims(version: VersionEntry) -> list[int]:
    return [-1, -1, version.outputs] if version.kind is Kind.TAGGING else [-1, version.outputs]


def _passed_on(kind: Kind) -> list[str]:
    """The tokenizer's outputs that an ensemble hands to the client."""
    return ["truncated", "offsets"] if kind is Kind.TAGGING else ["truncated"]


def _step(model: str, inputs: dict[str, str], outputs: list[str], version: int = NEWEST) -> pb.ModelEnsembling.Step:
    return pb.ModelEnsembling.Step(
        model_name=model, model_version=version, input_map=inputs, output_map={name: name for name in outputs}
    )
