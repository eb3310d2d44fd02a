"""What Triton says of its models, asked for in a thread: it may take long to answer, or never do so."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_control import Loaded, ModelVersion, TritonControl

_EVERY = 0.5
_SILENT_QUESTIONS = 3  # in a row without an answer, before the server counts as not ready
# Before Triton counts as hung: so long, and so many questions in a row, because this process may have been suspended.
_HUNG_SECONDS, _HUNG_QUESTIONS = 20.0, 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inventory:
    """What Triton has loaded, at one time.

    at: when it was asked, in monotonic seconds. done: {version: requests answered or failed}. configs: {model: its
    config}, of the models that serve.
    """

    at: float
    loaded: Loaded
    done: Mapping[ModelVersion, int]
    configs: Mapping[str, pb.ModelConfig]


class Inventories:
    """Asks one Triton again and again. newest: the newest answer; None before there is one."""

    def __init__(self, triton: TritonControl) -> None:
        self._triton = triton
        self._thread = ThreadPoolExecutor(1, "inventory")
        self._asked: Future[Inventory] | None = None
        self._changed: set[str] = set()
        self._unanswered = 0
        self._unanswered_since = 0.0
        self.newest: Inventory | None = None

    def look(self, now: float, is_urgent: bool) -> None:
        """Takes the answer if it has come, and asks again if it is time, or urgent. Returns at once."""
        if self._asked is not None and self._asked.done():
            try:
                self.newest = self._asked.result()
                self._unanswered = 0
            except ServeError as error:
                self._unanswered_since = self._unanswered_since if self._unanswered else now
                self._unanswered += 1
                _log.info("Triton does not answer: %s", error)
            self._asked = None
        if self._asked is None and (self.newest is None or is_urgent or now - self.newest.at >= _EVERY):
            self._asked = self._thread.submit(self._ask, self.newest, frozenset(self._changed))
            self._changed.clear()

    def ask_config_again(self, model: str) -> None:
        """The config of this model may have changed although its versions have not."""
        self._changed.add(model)

    @property
    def is_silent(self) -> bool:
        """Whether Triton has not answered lately."""
        return self._unanswered >= _SILENT_QUESTIONS

    @property
    def hang_reason(self) -> str | None:
        """Why Triton counts as hung, or None."""
        silent = time.monotonic() - self._unanswered_since
        if self._unanswered >= _HUNG_QUESTIONS and silent > _HUNG_SECONDS:
            return f"Triton has not answered for {_HUNG_SECONDS:.0f} seconds"
        return None

    def close(self) -> None:
        """Ends the thread, without waiting for Triton."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self, last: Inventory | None, changed: frozenset[str]) -> Inventory:
        at = time.monotonic()
        loaded = self._triton.loaded()
        configs = {}
        for model in {name for name, _ in loaded.ready}:
            # A config may change only when versions do, or when the model is brought back.
            is_same = last is not None and _versions(model, last.loaded) == _versions(model, loaded)
            known = last.configs.get(model) if last is not None and is_same and model not in changed else None
            configs[model] = known or self._triton.config(model)
        return Inventory(at, loaded, self._triton.done(), configs)


def _versions(model: str, loaded: Loaded) -> set[int]:
    return {version for name, version in loaded.ready if name == model}
