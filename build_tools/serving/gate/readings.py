"""What callers may read of server and models: metadata, config, statistics, readiness."""

from typing import Any

from google.protobuf.message import Message
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.checks import check_version
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.grpc_messages import parsed
from build_tools.serving.gate.observers import Exchange

_SECONDS = 10.0
# Of Triton's extensions of KServe v2, those that work through the gate.
_EXTENSIONS = ("schedule_policy", "model_configuration", "binary_tensor_data", "parameters", "statistics")


class Readings:
    """Each method takes a message of Triton's gRPC protocol and returns one. Raises RefusedError."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def server_metadata(self, _exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        """ServerMetadata: name, version, and the extensions that the gate offers."""
        parsed(pb.ServerMetadataRequest, message)
        metadata = pb.ServerMetadataResponse.FromString(await self._ask("ServerMetadata", pb.ServerMetadataRequest()))
        extensions = [name for name in metadata.extensions if name in _EXTENSIONS]
        answer = pb.ServerMetadataResponse(name=metadata.name, version=metadata.version, extensions=extensions)
        return answer.SerializeToString()

    async def model_ready(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        """ModelReady: false, too, while the server takes no requests."""
        request = parsed(pb.ModelReadyRequest, message)
        self._gate.check_readable(exchange.caller, request.name)
        if not (self._gate.readiness.is_ready or exchange.caller.may_control):
            return pb.ModelReadyResponse(ready=False).SerializeToString()
        return await self._ask("ModelReady", pb.ModelReadyRequest(name=request.name, version=_version(request)))

    async def model_metadata(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        """ModelMetadata."""
        request = parsed(pb.ModelMetadataRequest, message)
        self._gate.check_readable(exchange.caller, request.name)
        return await self._ask("ModelMetadata", pb.ModelMetadataRequest(name=request.name, version=_version(request)))

    async def model_config(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        """ModelConfig."""
        request = parsed(pb.ModelConfigRequest, message)
        self._gate.check_readable(exchange.caller, request.name)
        return await self._ask("ModelConfig", pb.ModelConfigRequest(name=request.name, version=_version(request)))

    async def model_statistics(self, exchange: Exchange, message: bytes, _seconds: float | None) -> bytes:
        """ModelStatistics of one model, or of all that the caller may read."""
        request = parsed(pb.ModelStatisticsRequest, message)
        if request.name:
            self._gate.check_readable(exchange.caller, request.name)
        version = _version(request)
        answer = await self._ask("ModelStatistics", pb.ModelStatisticsRequest(name=request.name, version=version))
        if request.name:
            return answer
        statistics = pb.ModelStatisticsResponse.FromString(answer)
        readable = [one for one in statistics.model_stats if self._gate.readable(exchange.caller, one.name)]
        return pb.ModelStatisticsResponse(model_stats=readable).SerializeToString()

    async def _ask(self, method: str, message: Message) -> bytes:
        self._gate.readiness.check_not_stopping()
        return await self._gate.upstream.ask(method, message.SerializeToString(), _SECONDS)


def _version(request: Any) -> str:
    check_version(request.version)
    return str(request.version)
