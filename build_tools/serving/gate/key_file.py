"""The file of client keys. It holds no key, only each key's SHA-256: who reads the file cannot ask."""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from build_tools.errors import BuildError
from espalier_json import parse_json
from training.atomic_write import replace_file

_BYTES = 32  # of chance in a key, so that neither guessing nor a plain hash needs to be slow
_PREFIX = "espalier-"  # by which scanners for leaked secrets know a key
_MODE = 0o600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_RESERVED = {"control"}  # the gate's own name for who shows the control key
_MOST_BYTES = 2**24

Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")]


class ClientKey(BaseModel):
    """A client.

    name: for logs, metrics and `espalier keys`. sha256: of its key, in hex. tasks: those that it may ask; None is all.
    max_in_flight: its requests inside at once; None has no bound of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    tasks: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    max_in_flight: Annotated[int, Field(ge=1)] | None = None


class KeyFile(BaseModel):
    """All clients. Names and keys are different."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    keys: tuple[ClientKey, ...] = ()

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        for what in ("name", "sha256"):
            values = [getattr(key, what) for key in self.keys]
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"two keys have the {what} {twice[0]}")
        return self


def new_key() -> str:
    """Returns a key that nobody has."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def sha256_of(key: str) -> str:
    """Returns what the file holds of a key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def check_name(name: str) -> None:
    """Raises BuildError unless a key can have this name."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise BuildError(
            f"{name!r} cannot be the name of a key: take up to 64 letters, digits and . _ - that begin with a letter "
            f"or digit, and not {', '.join(sorted(_RESERVED))}"
        )


def read_key_file(file: Path) -> KeyFile:
    """Raises BuildError if the file is missing, cannot be read or is damaged."""
    try:
        with file.open("rb") as content:
            text = content.read(_MOST_BYTES)
        return KeyFile.model_validate(parse_json(text))
    except FileNotFoundError:
        raise BuildError(
            f"there is no file of keys {file}: make it with `espalier keys add NAME --keys {file}`"
        ) from None
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]  # what stands there may be a key that was pasted by mistake
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BuildError(
            f"{file} is not a file of keys ({place}: {first['msg']}): restore it, or make new keys"
        ) from None
    except ValueError as error:
        raise BuildError(f"{file} is {error}: restore it, or delete it and make new keys") from None


def write_key_file(file: Path, content: KeyFile) -> None:
    """Replaces the file. Only its owner may read it. Raises BuildError if it cannot be written."""
    try:
        replace_file(file, content.model_dump_json(indent=2) + "\n", staged_in=file.parent, mode=_MODE)
    except OSError as error:
        raise BuildError(f"{file} cannot be written: {error.strerror}") from error
