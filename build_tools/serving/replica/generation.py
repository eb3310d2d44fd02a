"""One generation of the registry, as the shared folder holds it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from build_tools.errors import BuildError
from build_tools.repository.proposal import digest
from build_tools.repository.registry import Registry, parse_registry


@dataclass(frozen=True)
class Generation:
    """content: the bytes of the file. sha256: theirs, which names this generation beyond doubt."""

    registry: Registry
    content: bytes
    sha256: str

    @classmethod
    def of(cls, content: bytes, file: Path) -> Self:
        """Raises BuildError if the content is damaged. file: for its message."""
        return cls(parse_registry(content, file), content, digest(content))

    @property
    def number(self) -> int:
        """See Registry.generation."""
        return self.registry.generation


class GenerationFile:
    """registry.json or proposal.json in the shared folder, read again when it has changed. Use it from one thread."""

    def __init__(self, file: Path) -> None:
        self.path = file
        self._seen: tuple[int, ...] = ()
        self._value: Generation | None = None
        self._damage: BuildError | None = None

    def read(self) -> Generation | None:
        """Returns what the file holds, or None if there is no file. Raises BuildError if it is damaged or unreadable.

        The file is opened each time and its handle is asked: NFS asks its server on opening, and answers a plain stat
        from memory.
        """
        try:
            with self.path.open("rb") as opened:
                stat = os.fstat(opened.fileno())
                seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                if seen != self._seen:
                    self._take(opened.read())
                    self._seen = seen
        except FileNotFoundError:
            self._seen = ()
            return None
        except OSError as error:  # of a file system that is away: what was read stays
            raise BuildError(f"{self.path} cannot be read ({error.strerror}).") from error
        if self._damage is not None:
            raise self._damage
        return self._value

    def _take(self, content: bytes) -> None:
        try:
            self._value, self._damage = Generation.of(content, self.path), None
        except BuildError as error:
            self._damage = error
