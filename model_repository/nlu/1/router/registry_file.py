"""registry.json of a repository: the router serves the last state of it that can be served whole."""

import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Protocol

from router.last_good import LastGood
from router.registry import Registry, Version
from router.registry_format import NotARegistryError, parse
from router.served_models import IsLoaded, check_models
from router.unavailable import UnavailableError

_MOST_BYTES = 64 * 2**20
# A rejected file is looked at again this often: what it names may have come meanwhile.
_AGAIN_SECONDS = 1.0

_State = tuple[int, ...] | None  # None: there is no file


class RegistryMetrics(Protocol):
    """Where it is counted what came of the file."""

    def set_registry(self, generation: int | None, is_rejected: bool) -> None:
        """Says which registry is in force, and whether the file holds another one."""

    def count_rejection(self) -> None:
        """Adds a file that was rejected."""


class RegistryFile:
    """Reads registry.json again whenever it has changed, at the cost of one stat call per batch.

    A file that cannot be served whole (damaged, without tasks, naming models that are not there) leaves the registry in
    force as it is, or brings back the one that another process of this server has adopted before. Each such file is one
    line in the log. Use it from one thread.
    """

    def __init__(self, repository: Path, metrics: RegistryMetrics, is_loaded: IsLoaded) -> None:
        self._repository = repository
        self._file = repository / "registry.json"
        self._metrics = metrics
        self._is_loaded = is_loaded
        self._last_good = LastGood(repository)
        self._content: bytes | None = None  # of the registry in force
        self._seen: _State = ()
        self._logged: _State = ()
        self._again = 0.0  # when a rejected file is read again
        self._is_rejected = False
        self._dropped: set[Version] = set()
        self._registry: Registry | None = None
        self._look()

    def read(self) -> Registry:
        """Returns the registry in force. Raises UnavailableError if there has never been one that can be served."""
        self._look()
        if self._registry is None:
            raise UnavailableError("there is no registry that it can serve (its log says why)")
        return self._registry

    def drop_canary(self, version: Version) -> bool:
        """Ignores this canary from now on, whatever the file says. Returns False if it is ignored already."""
        if version in self._dropped:
            return False
        self._dropped.add(version)
        if self._registry is not None:
            self._registry = self._registry.without_canaries(self._dropped)
        return True

    def _look(self) -> None:
        """Adopts what the file holds, if that is new or was rejected some time ago."""
        seen = self._state()  # before reading, so that the next look sees a replacement in between
        if seen == self._seen and (not self._is_rejected or time.monotonic() < self._again):
            return
        self._seen = seen
        try:
            content = self._read_bytes()
            registry = self._parsed(content)
        except Exception as error:  # a damaged file can raise almost any
            self._reject(error)
            self._take_last_good()
        else:
            if self._is_rejected:
                logging.getLogger(__name__).warning("%s is adopted again", self._file)
            self._is_rejected = False
            self._adopt(registry, content)
            self._last_good.keep(content)

    def _read_bytes(self) -> bytes:
        if self._file.stat().st_size > _MOST_BYTES:
            raise NotARegistryError(f"it has more than {_MOST_BYTES} bytes")
        return self._file.read_bytes()

    def _parsed(self, content: bytes) -> Registry:
        registry = parse(json.loads(content))
        check_models(self._repository, registry, self._registry, self._is_loaded)
        return registry

    def _adopt(self, registry: Registry, content: bytes) -> None:
        self._content = content
        self._registry = registry.without_canaries(self._dropped)
        self._metrics.set_registry(registry.generation, is_rejected=self._is_rejected)

    def _take_last_good(self) -> None:
        content = self._last_good.read()
        if content is None or content == self._content:
            return
        with contextlib.suppress(Exception):  # it may be too old: what it names is gone
            self._adopt(self._parsed(content), content)

    def _reject(self, error: Exception) -> None:
        self._again = time.monotonic() + _AGAIN_SECONDS
        self._is_rejected = True
        if self._seen == self._logged:
            return
        self._logged = self._seen
        reason = str(error) if isinstance(error, NotARegistryError) else f"{type(error).__name__}: {error!s:.200}"
        logging.getLogger(__name__).error("%s is rejected, and the last good one stays: %s", self._file, reason)
        self._metrics.count_rejection()
        self._metrics.set_registry(self._registry.generation if self._registry else None, is_rejected=True)

    def _state(self) -> _State:
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size  # a replaced file has a new inode within one tick, too
