"""What publishing asks of a server: a running Triton, or none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

import numpy as np
from tritonclient import grpc
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from build_tools.errors import BuildError

_SECONDS = 10.0  # for calls that run or load no model
_LOAD_SECONDS = 120.0

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Calls:
    """Calls to one version of a branch, from routers or clients: how many were answered and how many failed."""

    answered: int
    failed: int


class Server(Protocol):
    """A server as publishing uses it. All methods raise BuildError if the server refuses or does not answer."""

    @property
    def is_running(self) -> bool:
        """False if no server runs: then nothing is loaded, and no model can be run."""

    def now(self) -> datetime | None:
        """The time, from which batches in flight are given DRAIN_SECONDS; None if no server runs."""

    def load(self, model: str) -> None:
        """Loads the model as its folder now is. Versions that have not changed stay loaded as they are."""

    def unload(self, model: str) -> None:
        """Unloads all versions, each after its requests in flight are answered."""

    def ready_versions(self) -> dict[str, list[int]]:
        """Returns {model: its loaded versions, in order}."""

    def config(self, model: str) -> pb.ModelConfig:
        """Returns the config that a loaded model was loaded with."""

    def infer(self, model: str, version: int, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Tensors:
        """Returns the outputs of one version by name. version: a number, or NEWEST."""


class RunningServer:
    """A Triton, over gRPC. A BuildError quotes Triton's own message."""

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
                "leave --url out if no server runs."
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
        """Returns {(model, version): its calls since the server started}."""
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
    """Stands in where no server runs: nothing is loaded now, and the next server loads what is on disk."""

    is_running = False

    def now(self) -> None:
        """Returns None: no batch is in flight."""

    def load(self, model: str) -> None:
        """Does nothing."""

    def unload(self, model: str) -> None:
        """Does nothing."""

    def ready_versions(self) -> dict[str, list[int]]:
        """Returns an empty dict."""
        return {}

    def config(self, model: str) -> pb.ModelConfig:
        """Is never called."""
        raise AssertionError(f"no server runs that could have {model} loaded")

    def infer(self, model: str, version: int, inputs: Mapping[str, np.ndarray], outputs: Iterable[str]) -> Tensors:
        """Is never called."""
        raise AssertionError(f"no server runs that could answer for {model} {version}: {list(inputs)}, {list(outputs)}")
