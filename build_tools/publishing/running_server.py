"""The server that serves a repository, as far as its models are changed; or none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

import numpy as np
from tritonclient import grpc
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from build_tools.errors import BuildError

_SECONDS = 10.0  # for what needs no model
_LOAD_SECONDS = 120.0

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Calls:
    """Of one version of a branch: calls of the router or of clients that were answered, and that failed."""

    answered: int
    failed: int


class Server(Protocol):
    """What publishing asks of a server."""

    @property
    def is_running(self) -> bool:
        """False if there is none: then nothing is loaded, and nothing can be asked."""

    def now(self) -> datetime | None:
        """The time, for what batches in flight may still ask for; None if there are none."""

    def load(self, model: str) -> None:
        """Takes up what the model's folder now holds. Versions that did not change stay as they are."""

    def unload(self, model: str) -> None:
        """Lets go of all versions, each once its requests in flight are answered."""

    def ready_versions(self) -> dict[str, list[int]]:
        """{model: the versions that answer now}."""

    def config(self, model: str) -> pb.ModelConfig:
        """The config with which a model that is ready was loaded."""

    def infer(self, model: str, version: int, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Tensors:
        """The outputs of one version by name."""


class RunningServer:
    """A Triton, asked over gRPC. All methods raise BuildError with Triton's own words if it refuses."""

    is_running = True

    def __init__(self, url: str) -> None:
        """url: host:port of its gRPC endpoint. Raises BuildError if nothing answers there."""
        self._url = url
        self._client = grpc.InferenceServerClient(url)
        try:
            self._client.is_server_live(client_timeout=_SECONDS)
        except InferenceServerException as error:
            raise BuildError(
                f"no Triton answers at {url} ({error.message()}): give host:port of its gRPC endpoint as --url, or "
                "leave --url out if it does not run."
            ) from error

    def now(self) -> datetime:
        """See Server."""
        return datetime.now(UTC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def load(self, model: str) -> None:
        """See Server."""
        try:
            self._client.load_model(model, client_timeout=_LOAD_SECONDS)
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} cannot load {model}: {error.message()}") from error

    def unload(self, model: str) -> None:
        """See Server."""
        try:
            self._client.unload_model(model, client_timeout=_LOAD_SECONDS)
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} cannot unload {model}: {error.message()}") from error

    def ready_versions(self) -> dict[str, list[int]]:
        """See Server."""
        try:
            index = self._client.get_model_repository_index(client_timeout=_SECONDS)
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} does not answer: {error.message()}") from error
        ready: dict[str, list[int]] = {}
        for one in index.models:
            if one.state == "READY":
                ready.setdefault(one.name, []).append(int(one.version))
        return {model: sorted(versions) for model, versions in ready.items()}

    def calls(self) -> dict[tuple[str, int], Calls]:
        """{(model, version): its calls} since the server started."""
        try:
            statistics = self._client.get_inference_statistics(client_timeout=_SECONDS)
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} does not answer: {error.message()}") from error
        return {
            (one.name, int(one.version)): Calls(one.inference_stats.success.count, one.inference_stats.fail.count)
            for one in statistics.model_stats
        }

    def config(self, model: str) -> pb.ModelConfig:
        """See Server."""
        try:
            return self._client.get_model_config(model, client_timeout=_SECONDS).config
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} has no {model}: {error.message()}") from error

    def infer(self, model: str, version: int, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Tensors:
        """See Server."""
        tensors = []
        for name, array in inputs.items():
            tensors.append(grpc.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
            tensors[-1].set_data_from_numpy(np.ascontiguousarray(array))
        wanted = [grpc.InferRequestedOutput(name) for name in outputs]
        try:
            result = self._client.infer(
                model, tensors, "" if version < 0 else str(version), outputs=wanted, client_timeout=_LOAD_SECONDS
            )
        except InferenceServerException as error:
            raise BuildError(f"{model} version {version} does not answer: {error.message()}") from error
        return {output.name(): result.as_numpy(output.name()) for output in wanted}


class NoServer:
    """In the place of a server where none runs: nothing is loaded, and the next one loads what stands there."""

    is_running = False

    def now(self) -> None:
        """Nothing is in flight."""

    def load(self, model: str) -> None:
        """Nothing to do."""

    def unload(self, model: str) -> None:
        """Nothing to do."""

    def ready_versions(self) -> dict[str, list[int]]:
        """None."""
        return {}

    def config(self, model: str) -> pb.ModelConfig:
        """Never asked."""
        raise AssertionError(f"no server runs that could have loaded {model}")

    def infer(self, model: str, version: int, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Tensors:
        """Never asked."""
        raise AssertionError(f"no server runs that could answer for {model} {version}: {list(inputs)}, {list(outputs)}")
