"""One inference as the gate passes it on, whichever way it came."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from tritonclient.grpc import service_pb2

from build_tools.serving.gate.bytes_tensor import pack_texts, unpack_texts


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input. datatype: as in KServe v2 (BYTES, BOOL, ...). raw: the bytes of KServe's binary form."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class InferCall:
    """A request. version: "" is any. outputs: empty asks for all. id: "" is none.

    timeout_us: what the caller gave as the parameter `timeout`, in microseconds; 0 is none. priority: 0 is the default.
    wants_final: of a stream: the last response is followed by an empty one with the final flag.
    """

    model: str
    version: str = ""
    id: str = ""
    inputs: Sequence[Tensor] = ()
    outputs: Sequence[str] = ()
    timeout_us: int = 0
    priority: int = 0
    wants_final: bool = False
    _by_name: dict[str, Tensor] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {tensor.name: tensor for tensor in self.inputs})

    def input(self, name: str) -> Tensor | None:
        """Returns the input of this name, if there is one."""
        return self._by_name.get(name)

    @property
    def texts(self) -> int:
        """How many texts it has."""
        text = self._by_name.get("text")
        return text.shape[0] if text is not None and text.shape else 0

    @property
    def size(self) -> int:
        """Bytes of its inputs."""
        return sum(len(tensor.raw) for tensor in self.inputs)

    @property
    def tasks(self) -> list[str]:
        """The list of tasks of each text as it was sent, names joined by commas. Empty if none was."""
        tasks = self._by_name.get("tasks")
        return [] if tasks is None else [one.decode(errors="replace") for one in unpack_texts(tasks.raw)]

    def with_tasks(self, tasks: str) -> Self:
        """Returns the same call that asks each text for these tasks, joined by commas."""
        one = Tensor("tasks", "BYTES", (self.texts, 1), pack_texts([tasks.encode()] * self.texts))
        return replace(self, inputs=[*(tensor for tensor in self.inputs if tensor.name != "tasks"), one])

    def message(self, timeout_us: int, traceparent: str = "") -> service_pb2.ModelInferRequest:
        """Returns the message for Triton, made of nothing else than what is here.

        timeout_us: microseconds until the request's deadline; 0 sends none.
        """
        message = service_pb2.ModelInferRequest(model_name=self.model, model_version=self.version, id=self.id)
        for tensor in self.inputs:
            message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            message.raw_input_contents.append(tensor.raw)
        for name in self.outputs:
            message.outputs.add(name=name)
        parameters = message.parameters
        if timeout_us:
            parameters["timeout"].int64_param = timeout_us
        if self.priority:
            parameters["priority"].int64_param = self.priority
        if self.wants_final:
            parameters["triton_enable_empty_final_response"].bool_param = True
        if traceparent:
            parameters["traceparent"].string_param = traceparent
        return message

    def serialized(self, seconds: float, traceparent: str = "") -> bytes:
        """Returns `message` in the form that is sent. seconds: until the request's deadline."""
        return self.message(max(1, round(seconds * 1e6)), traceparent).SerializeToString()
