"""What the supervisor asks of Triton: what is loaded, whether it works, and to load a model afresh."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_key import KEY_METADATA

_SECONDS = 2.0  # for calls that run or load no model
_LOAD_SECONDS = 60.0
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    # Triton may be started again at any time: by default gRPC waits up to two minutes between attempts.
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)
# A parameter of no effect: a config that differs makes Triton load a fresh model beside the old one and then swap.
_RELOAD = "espalier_reload"

ModelVersion = tuple[str, int]


class TritonError(ServeError):
    """Triton refused a call or did not answer. code: of gRPC."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        super().__init__((error.details() or str(self.code)).strip().partition("\n")[0])


@dataclass(frozen=True)
class Loaded:
    """What Triton's index says. ready: the versions that serve. busy: models that are being loaded or unloaded."""

    ready: frozenset[ModelVersion]
    busy: frozenset[str]


class TritonControl:
    """A connection to Triton. Calls may come from several threads, and raise TritonError."""

    def __init__(self, target: str, key: str | None) -> None:
        """target: host:port of its gRPC endpoint. key: that opens it, if it is closed."""
        self._metadata = () if key is None else ((KEY_METADATA, key),)
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def is_ready(self) -> bool:
        """Whether Triton answers and says that it is ready."""
        try:
            return self._call("ServerReady", service_pb2.ServerReadyRequest()).ready
        except TritonError:
            return False

    def loaded(self) -> Loaded:
        """What is loaded now."""
        index = self._call("RepositoryIndex", service_pb2.RepositoryIndexRequest()).models
        return Loaded(
            frozenset((one.name, int(one.version)) for one in index if one.state == "READY"),
            frozenset(one.name for one in index if one.state in ("LOADING", "UNLOADING")),
        )

    def config(self, model: str) -> model_config_pb2.ModelConfig:
        """The config with which a model is loaded."""
        return self._call("ModelConfig", service_pb2.ModelConfigRequest(name=model)).config

    def done(self) -> dict[ModelVersion, int]:
        """{version: how many requests it has answered or failed}: a number that grows belongs to a model that works."""
        statistics = self._call("ModelStatistics", service_pb2.ModelStatisticsRequest()).model_stats
        return {
            (one.name, int(one.version)): one.inference_stats.success.count + one.inference_stats.fail.count
            for one in statistics
        }

    def ask(self, request: service_pb2.ModelInferRequest, streamed: bool, seconds: float) -> None:
        """Makes an inference and drops the answer."""
        try:
            if streamed:
                for response in self._stub.ModelStreamInfer(iter([request]), timeout=seconds, metadata=self._metadata):
                    if response.error_message:
                        raise StreamError(response.error_message)
            else:
                self._stub.ModelInfer(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise TritonError(error) from None

    def load(self, model: str) -> None:
        """Loads a model as its folder says. It stays as it is if that has not changed, also if its process is dead."""
        self._call("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=model), _LOAD_SECONDS)

    def load_afresh(self, model: str, config: model_config_pb2.ModelConfig, number: int) -> None:
        """Loads a model with this config into new processes, beside the old ones, and then ends these: without a gap.

        number: another one each time. The next plain `load` of a changed folder goes back to the folder's own config.
        """
        fresh = model_config_pb2.ModelConfig()
        fresh.CopyFrom(config)
        fresh.parameters[_RELOAD].string_value = str(number)
        request = service_pb2.RepositoryModelLoadRequest(model_name=model)
        request.parameters["config"].string_param = json_format.MessageToJson(fresh, preserving_proto_field_name=True)
        self._call("RepositoryModelLoad", request, _LOAD_SECONDS)

    def unload(self, model: str) -> None:
        """Unloads a model."""
        self._call("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=model), _LOAD_SECONDS)

    def _call(self, method: str, request: object, seconds: float = _SECONDS) -> Any:
        try:
            return getattr(self._stub, method)(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise TritonError(error) from None


class StreamError(ServeError):
    """An error within a stream: a sentence without a code."""
