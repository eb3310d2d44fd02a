"""What publishing asks of a server: a running Triton, or none."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from tritonclient import grpc
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from build_tools.errors import BuildError
from build_tools.repository.control_key import CONTROL_HEADER
from build_tools.repository.proposal import replace_registry
from build_tools.repository.registry import Registry
from clients import failure
from clients.address import Address, parse_address
from clients.credentials import Credentials
from clients.errors import RequestRejected
from clients.grpc_channel import channel_options, check_no_fork
from clients.grpc_tls import channel_credentials, untrusted_reason
from clients.proxy import described

_SECONDS = 10.0  # for calls that run or load no model
_LOAD_SECONDS = 120.0
INFER_SECONDS = 120.0  # for all golden examples of a task on a busy server
_IDLE_SECONDS = 5.0  # after which a connection may have been dropped without notice
_PROBE_SECONDS = 5.0  # for the answer that shows that it was not

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
        """False if no server runs that is told from here: then nothing is loaded, and no model can be run."""

    @property
    def proves(self) -> bool:
        """Whether put_in_force asks golden examples of all that is new, so that nobody need do so before."""

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        """Replaces registry.json by its next generation: from now on routers follow it."""

    def has_left(self, generation: int) -> bool:
        """Whether files that only generations before this one named may be removed."""

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

    def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, np.ndarray],
        outputs: Iterable[str],
        seconds: float = INFER_SECONDS,
    ) -> Tensors:
        """Returns the outputs of one version by name. version: a number, or NEWEST. seconds: the longest to wait."""


class RunningServer:
    """A server, over gRPC: the gate, or a bare Triton. A BuildError quotes the server's own message.

    A connection that has been idle is tried before it is used for more, and one that is lost is replaced: a laptop that
    slept, or a load balancer that dropped it, costs one attempt and not the whole publish.
    """

    is_running = True
    proves = False

    def __init__(self, url: str, control_key: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """url: host:port of its gRPC endpoint, or grpcs://host:port. Raises BuildError if nothing answers there.

        control_key: of the repository that it serves; the gate lets nobody load or unload without it. Key and
        certificates of the client are those of the environment, as for all verbs. headers: sent with every call.
        """
        self._address = server_address(url)
        self._url = described(self._address)
        self._headers, self._credentials = _identity(self._address, control_key)
        self._headers |= headers or {}
        self._client = self._connected()
        try:
            self._client.is_server_live(client_timeout=_SECONDS)
        except InferenceServerException as error:
            self._client.close()
            if reason := untrusted_reason(error.message() or ""):
                raise BuildError(str(failure.untrusted(self._url, reason))) from error
            raise BuildError(
                f"no Triton answers at {self._url} ({error.message()}): give host:port of its gRPC endpoint as --url, "
                "or leave --url out if no server runs."
            ) from error
        self._heard = time.monotonic()

    def now(self) -> datetime:
        """See Server."""
        return datetime.now(UTC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        """See Server."""
        replace_registry(repository, registry)

    def has_left(self, generation: int) -> bool:  # noqa: ARG002
        """Returns True: files are removed after their models are unloaded."""
        return True

    def load(self, model: str) -> None:
        """See Server."""
        try:
            self._ask(lambda client: client.load_model(model, client_timeout=_LOAD_SECONDS))
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} cannot load {model}: {error.message()}") from error

    def unload(self, model: str) -> None:
        """See Server."""
        try:
            self._ask(lambda client: client.unload_model(model, client_timeout=_LOAD_SECONDS))
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} cannot unload {model}: {error.message()}") from error

    def ready_versions(self) -> dict[str, list[int]]:
        """See Server."""
        try:
            index = self._read(lambda client: client.get_model_repository_index(client_timeout=_SECONDS))
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
            statistics = self._read(lambda client: client.get_inference_statistics(client_timeout=_SECONDS))
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} does not answer: {error.message()}") from error
        return {
            (one.name, int(one.version)): Calls(one.inference_stats.success.count, one.inference_stats.fail.count)
            for one in statistics.model_stats
        }

    def config(self, model: str) -> pb.ModelConfig:
        """See Server."""
        try:
            return self._read(lambda client: client.get_model_config(model, client_timeout=_SECONDS)).config
        except InferenceServerException as error:
            raise BuildError(f"Triton at {self._url} has no {model}: {error.message()}") from error

    def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, np.ndarray],
        outputs: Iterable[str],
        seconds: float = INFER_SECONDS,
    ) -> Tensors:
        """See Server."""
        tensors = []
        for name, array in inputs.items():
            tensors.append(grpc.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
            tensors[-1].set_data_from_numpy(np.ascontiguousarray(array))
        wanted = [grpc.InferRequestedOutput(name) for name in outputs]
        number = "" if version < 0 else str(version)
        try:
            result = self._ask(
                lambda client: client.infer(
                    model, tensors, number, outputs=wanted, client_timeout=seconds, headers=self._headers
                )
            )
        except InferenceServerException as error:
            raise BuildError(f"{model} version {version} does not answer: {error.message()}") from error
        return {output.name(): result.as_numpy(output.name()) for output in wanted}

    def _connected(self) -> grpc.InferenceServerClient:
        check_no_fork()
        options = channel_options(self._address, _LOAD_SECONDS)
        client = grpc.InferenceServerClient(self._address.target, creds=self._credentials, channel_args=options)
        client.register_plugin(_Headers(self._headers))
        return client

    def _ask(self, call: Callable[[grpc.InferenceServerClient], Any]) -> Any:
        """Makes a call that may take long or change something: once, on a connection that has just answered."""
        if time.monotonic() - self._heard > _IDLE_SECONDS:
            try:
                self._client.is_server_live(client_timeout=_PROBE_SECONDS)
            except InferenceServerException:
                self._reconnect()
        try:
            answer = call(self._client)
        except InferenceServerException as error:
            self._heard = -math.inf if _may_be_lost(error) else time.monotonic()
            raise
        self._heard = time.monotonic()
        return answer

    def _read(self, call: Callable[[grpc.InferenceServerClient], Any]) -> Any:
        """Makes a call that changes nothing, and a second one if the connection was lost."""
        try:
            return self._ask(call)
        except InferenceServerException as error:
            if not _may_be_lost(error):
                raise
            self._reconnect()
            return self._ask(call)

    def _reconnect(self) -> None:
        self._client.close()
        self._client = self._connected()
        self._heard = time.monotonic()


class _Headers(grpc.InferenceServerClientPlugin):
    """Adds headers to every call of a client."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: Any) -> None:
        request.headers.update(self._headers)


def _identity(address: Address, control_key: str | None) -> tuple[dict[str, str], Any]:
    """Returns the headers that say who asks, and what a connection over TLS needs."""
    try:
        credentials = Credentials.of_command_line(address)
        headers = credentials.headers if control_key is None else {**credentials.headers, CONTROL_HEADER: control_key}
        return headers, channel_credentials(credentials) if address.secure else None
    except RequestRejected as error:
        raise BuildError(str(error)) from error


def server_address(url: str) -> Address:
    """Reads the host:port of a server's gRPC endpoint. Raises BuildError if `url` is something else."""
    try:
        address = parse_address(url)
    except RequestRejected as error:
        raise BuildError(f"--url: {error}") from error
    if address.transport != "grpc":
        raise BuildError(f"--url {url} is an HTTP address: give host:port of the server's gRPC endpoint.")
    return address


def _may_be_lost(error: InferenceServerException) -> bool:
    return error.status() in ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED")


class NoServer:
    """Stands in where no server runs: nothing is loaded now, and the next server loads what is on disk."""

    is_running = False
    proves = False

    def put_in_force(self, repository: Path, registry: Registry) -> None:
        """See Server."""
        replace_registry(repository, registry)

    def has_left(self, generation: int) -> bool:  # noqa: ARG002
        """Returns True: nobody reads them."""
        return True

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

    def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, np.ndarray],
        outputs: Iterable[str],
        seconds: float = INFER_SECONDS,
    ) -> Tensors:
        """Is never called."""
        raise AssertionError(
            f"no server runs that could answer for {model} {version} in {seconds} s: {list(inputs)}, {list(outputs)}"
        )
