"""The cheapest request that shows that a model works, built from the model's config."""

from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.grpc import service_pb2

from build_tools.repository.names import BRANCH_PREFIX, FUSED, ROUTERS, TOKENIZER, TRUNK, TRUNK_INPUTS
from build_tools.serving.triton.triton_control import ModelVersion

REQUEST_ID = "espalier-supervisor"
# The names of data types in a config and in a request.
_TYPES = {pb.TYPE_INT64: "INT64", pb.TYPE_FP32: "FP32"}
_TOKENS = 2
# No task has this name. The router refuses it, and so says that it works and has a
# registry, without a call to trunk and branches and without an answer that would count as one of a task.
NO_TASK = "supervisor.probe"


def probe(version: ModelVersion, config: pb.ModelConfig) -> service_pb2.ModelInferRequest | None:
    """Returns a request to this version; None for models that are not ours, and for ensembles, which have no process.

    Trunk or fused graph: two tokens, the lowest output. Branch: two hidden states of zeros. Tokenizer: a letter.
    Router: a letter and a task that there is not, which it refuses as invalid.
    """
    name, number = version
    request = service_pb2.ModelInferRequest(model_name=name, model_version=str(number), id=REQUEST_ID)
    if config.platform == "ensemble":
        return None
    if name in ROUTERS:
        _add_text(request, "text", [1, 1], "a")
        _add_text(request, "tasks", [1, 1], NO_TASK)
    elif name.split("_")[0] == TOKENIZER:
        _add_text(request, "text", [1], "a")
    elif name.startswith(BRANCH_PREFIX) or name.split(".")[0] in (TRUNK, FUSED):
        for tensor in config.input:
            # A fused graph takes tokens or hidden states, so there the tokens are optional too.
            if not tensor.optional or tensor.name in TRUNK_INPUTS:
                _add_numbers(request, tensor)
        request.outputs.add(name=config.output[0].name)
    else:
        return None
    return request


def _add_text(request: service_pb2.ModelInferRequest, name: str, shape: list[int], text: str) -> None:
    tensor = request.inputs.add(name=name, datatype="BYTES", shape=shape)
    tensor.contents.bytes_contents.append(text.encode())


def _add_numbers(request: service_pb2.ModelInferRequest, tensor: pb.ModelInput) -> None:
    """Zeros; the mask's ones: no token is padding."""
    datatype = _TYPES[tensor.data_type]
    shape = [1, _TOKENS, *tensor.dims[2:]]
    added = request.inputs.add(name=tensor.name, datatype=datatype, shape=shape)
    count = _TOKENS * (tensor.dims[2] if len(tensor.dims) > 2 else 1)
    if datatype == "INT64":
        added.contents.int64_contents.extend([int(tensor.name == "attention_mask")] * count)
    else:
        added.contents.fp32_contents.extend([0.0] * count)
