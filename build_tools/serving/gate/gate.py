"""What happens to a request, whichever way it came: who asks, may they, is it sound, can it be answered in time."""

import hmac
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from tritonclient.grpc import service_pb2

from build_tools.repository.control_key import CONTROL_KEY, read_control_key
from build_tools.serving.gate.access import Access, Admission, Caller
from build_tools.serving.gate.call import InferCall
from build_tools.serving.gate.catalogue import Catalogue, ModelSpec, is_plain
from build_tools.serving.gate.checks import check_id, check_inner, checked
from build_tools.serving.gate.joining import Joining
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.readiness import Readiness
from build_tools.serving.gate.refusal import Code, RefusedError, shown
from build_tools.serving.gate.settings import Limits
from build_tools.serving.gate.task_list import TaskList
from build_tools.serving.gate.upstream import Upstream
from build_tools.serving.gate.watched_file import WatchedFile

NOT_OPEN = "the gate lets nobody in here without the control key of the model repository."
_INNER_SECONDS = 120.0  # for a publish that asks a model's golden examples


class Gate:
    """Both protocols hand their requests over here. All methods raise RefusedError."""

    def __init__(
        self,
        limits: Limits,
        repository: Path,
        readiness: Readiness,
        access: Access,
        admission: Admission,
        upstream: Upstream,
    ) -> None:
        self.limits = limits
        self.readiness = readiness
        self.upstream = upstream
        self.catalogue = Catalogue(repository)
        self.task_list = TaskList(repository)
        self._joining = Joining(upstream, limits.texts)
        self._access = access
        self._admission = admission
        self._control_key: WatchedFile[str | None] = WatchedFile(
            repository / CONTROL_KEY,
            lambda file: read_control_key(file.parent),
            None,
            lambda error: logging.getLogger(__name__).warning("%s", error),
        )

    def look(self) -> None:
        """Reads again what has changed on disk. To be called a few times a second."""
        self.readiness.look()
        self.catalogue.look()
        self._control_key.look()
        self._access.look()

    def identify(self, authorization: str | None, control_key: str | None) -> Caller:
        """Returns who asks. A wrong control key counts as none."""
        if self.is_control(control_key):
            return Caller("control", may_control=True)
        return self._access.identify(authorization)

    def is_control(self, control_key: str | None) -> bool:
        """Whether this is the repository's control key."""
        right = self._control_key.value
        return bool(control_key and right and hmac.compare_digest(control_key.encode(), right.encode()))

    def check_control(self, caller: Caller) -> None:
        """Raises RefusedError (FORBIDDEN) unless the caller has shown the control key."""
        if not caller.may_control:
            raise RefusedError(Code.FORBIDDEN, NOT_OPEN)
        self.readiness.check_not_stopping()

    def check_name(self, model: str) -> None:
        """Raises RefusedError (INVALID) if no model can have this name."""
        if not is_plain(model):
            raise RefusedError(Code.INVALID, f"{shown(model)} is not the name of a model.")

    def spec(self, caller: Caller, model: str) -> ModelSpec:
        """Returns what the model takes. Raises RefusedError (NOT_FOUND), the same for a closed model and for none."""
        spec = self.catalogue.models.open.get(model)
        if spec is None or not (spec.task is None or may_ask(caller, spec.task)):
            raise RefusedError(Code.NOT_FOUND, f"there is no model {shown(model)} to ask: ask nlu, or a task by name.")
        return spec

    def check_readable(self, caller: Caller, model: str) -> None:
        """Raises RefusedError (NOT_FOUND) unless the caller may read the model's metadata, config and statistics.

        perf_analyzer reads those of trunk, fused graph and branches, too; who may ask all tasks may.
        """
        if caller.may_control:
            self.check_name(model)
        elif caller.tasks is not None or model not in self.catalogue.models.inner:
            self.spec(caller, model)

    def readable(self, caller: Caller, model: str) -> bool:
        """Whether `check_readable` lets the caller in."""
        try:
            self.check_readable(caller, model)
        except RefusedError:
            return False
        return True

    async def infer(self, exchange: Exchange, call: InferCall, seconds: float | None) -> bytes:
        """Returns Triton's ModelInferResponse. seconds: until the deadline that the protocol knows of, if any."""
        caller = exchange.caller
        if caller.may_control and call.model not in self.catalogue.models.open:
            return await self._infer_inner(exchange, call)
        self.readiness.check()
        spec = self.spec(caller, call.model)
        if spec.decoupled:
            raise RefusedError(
                Code.NOT_OFFERED, f"{call.model} answers once per task: ask it in a stream, or ask nlu instead."
            )
        call = self._checked(exchange, call, spec)
        left = self._seconds(call, seconds)
        async with self._admission.admit(caller, call.texts, call.size, left):
            if spec.task is None and not exchange.traceparent:  # a trace is of one request
                return await self._joining.infer(call, left)
            return await self.upstream.infer(call.serialized(left, exchange.traceparent), left)

    async def stream(
        self, exchange: Exchange, call: InferCall, seconds: float | None
    ) -> AsyncGenerator[service_pb2.ModelInferResponse, None]:
        """Yields the responses of a model that may answer any number of times."""
        self.readiness.check()
        spec = self.spec(exchange.caller, call.model)
        call = self._checked(exchange, call, spec)
        left = self._seconds(call, seconds)
        async with (
            self._admission.admit(exchange.caller, call.texts, call.size, left),
            aclosing(self.upstream.stream(call.serialized(left, exchange.traceparent), left)) as responses,
        ):
            async for response in responses:
                yield response

    async def _infer_inner(self, exchange: Exchange, call: InferCall) -> bytes:
        self.readiness.check_not_stopping()
        self.check_name(call.model)
        exchange.call = call = check_inner(_named(exchange, call))
        return await self.upstream.infer(call.serialized(_INNER_SECONDS, exchange.traceparent), _INNER_SECONDS)

    def _checked(self, exchange: Exchange, call: InferCall, spec: ModelSpec) -> InferCall:
        call = checked(_named(exchange, call), spec, self.limits.texts)
        if exchange.caller.tasks is not None and spec.task is None:
            call = self._own_tasks(exchange.caller.tasks, call)
        exchange.call = call
        return call

    def _own_tasks(self, own: frozenset[str], call: InferCall) -> InferCall:
        """Without a list of tasks, a caller asks all that it may."""
        served = sorted(own & self.catalogue.models.tasks)
        if not served:
            raise RefusedError(Code.FORBIDDEN, "none of the tasks that this key may ask is served.")
        lists = call.tasks
        if not lists:
            return call.with_tasks(",".join(served))
        known = ", ".join(served)
        for names in lists:
            named = [name for name in map(str.strip, names.split(",")) if name]
            if not named:  # not left to the router, whose sentence names all tasks
                raise RefusedError(
                    Code.INVALID, f"the list of tasks is empty: name some of {known}, or leave `tasks` out for all."
                )
            for name in named:
                if name not in own or name not in self.catalogue.models.tasks:
                    raise RefusedError(
                        Code.FORBIDDEN, f"there is no task {shown(name)} that this key may ask; it may ask: {known}."
                    )
        return call

    def _seconds(self, call: InferCall, seconds: float | None) -> float:
        """Until the earliest of the deadlines that the caller has given, or the default one."""
        given = [call.timeout_us / 1e6] if call.timeout_us else []
        if seconds is not None:
            given.append(seconds)
        return max(min(given, default=self.limits.default_seconds), 0.0)


def may_ask(caller: Caller, task: str) -> bool:
    """Whether the caller may ask the task."""
    return caller.tasks is None or task in caller.tasks


def _named(exchange: Exchange, call: InferCall) -> InferCall:
    """Returns the call with an id: its own, or the one that the exchange has from a header or by chance."""
    if not call.id:
        return replace(call, id=exchange.id)
    check_id(call.id)
    exchange.id = call.id
    return call
