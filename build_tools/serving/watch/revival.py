"""Brings a model back whose process is dead or hangs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.repository.locking import LOCK
from build_tools.repository.names import embedded_config
from build_tools.repository.registry import read_registry
from build_tools.serving.errors import ServeError
from build_tools.serving.triton.triton_control import TritonControl, TritonError
from build_tools.serving.watch.needed_models import needed_models

# A publish that has the lock waits for the very model, perhaps: then the model goes first.
_LOCK_PATIENCE = 2.0


class Revival:
    """Revives models of one repository. Calls may come from several threads, one at a time for each model."""

    def __init__(self, triton: TritonControl, repository: Path, own_backends: bool) -> None:
        """own_backends: whether Triton runs with our backends, and so with the configs for them."""
        self._triton = triton
        self._repository = repository
        self._own_backends = own_backends
        self._lock = _SharedLock(repository / LOCK)

    def revive(self, model: str, number: int, interrupting: bool) -> bool:
        """Has Triton run the model in new processes, then end the old ones. Returns False if nobody needs it any more.

        number: another one at each call. interrupting: if there is no room for both, end the old ones first; not while
        one of them still answers.
        While a command changes the repository, waits for it for some seconds: it may be changing this very model, or
        retiring it. Afterwards the folder's config decides, as it does for the command's own load.
        Raises BuildError if Triton cannot load it.
        """
        with self._lock.held():
            if not self._is_needed(model):
                return False
            try:
                self._triton.load_afresh(model, self._config(model), number)
            except TritonError:
                if not interrupting:
                    raise
                self._triton.unload(model)
                self._triton.load(model)
        return True

    def _is_needed(self, model: str) -> bool:
        if any(name == model for name, _ in self._triton.loaded().ready):
            return True
        return model in needed_models(read_registry(self._repository))

    def _config(self, model: str) -> pb.ModelConfig:
        if not self._own_backends:
            return self._triton.config(model)
        folder = self._repository / model
        own = embedded_config(folder)
        file = own if own.is_file() else folder / "config.pbtxt"
        try:
            config = text_format.Parse(file.read_text(encoding="utf-8"), pb.ModelConfig())
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise ServeError(f"{file} cannot be read: {error}") from error
        config.name = model
        return config


class _SharedLock:
    """The repository's lock, held once for all revivals that go on at the same time."""

    def __init__(self, file: Path) -> None:
        self._lock = FileLock(file, thread_local=False)
        self._users = 0
        self._guard = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the lock if it can be had; a repository that cannot be written is changed by nobody here."""
        with self._guard:
            if self._users == 0:
                self._acquire()
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                if self._users == 0:
                    self._lock.release()

    def _acquire(self) -> None:
        with suppress(Timeout, OSError, NotImplementedError):
            self._lock.acquire(timeout=_LOCK_PATIENCE)
