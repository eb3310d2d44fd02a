"""A case: an artefact that was taken out of the inbox, and what comes of it.

Its folder holds the artefact, its options, what tend has noted, and at last result.json. Each step is one rename or one
replaced file, so wherever tend is killed, the next one sees how far it was.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import KEPT
from build_tools.repository.registry import CanaryTerms
from espalier_json import NotJsonError, parse_json
from training.atomic_write import rename_file, replace_file
from training.validation import first_problem

OPTIONS = ".json"  # after the artefact's own name
RESULT = "result.json"
DONE, REFUSED = "done", "refused"  # folders of the inbox
_STARTED = "started.json"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Options(_File):
    """How an artefact is to be published; as those of `espalier publish`, with shares from 0 to 1."""

    canary: CanaryTerms | None = None
    shadow: bool = False
    keep: int = Field(default=KEPT, ge=3)
    redefine: bool = False

    @model_validator(mode="after")
    def _has_one_candidate(self) -> Self:
        if self.canary is not None and self.shadow:
            raise ValueError("canary and shadow exclude each other: a shadow answers no texts")
        return self


class Outcome(_File):
    """What came of an artefact: the version that it became, or why it was refused.

    problem: of a version that is published, what failed afterwards.
    """

    at: datetime
    task: str = ""
    version: int | None = None
    problem: str = ""

    @classmethod
    def now(cls, task: str = "", version: int | None = None, problem: str = "") -> Self:
        """An outcome of this moment."""
        return cls(at=datetime.now(UTC).replace(microsecond=0), task=task, version=version, problem=problem)


class Started(_File):
    """What the registry was when the publish of a case began: the highest version number of each task until then."""

    newest: dict[str, int]


@dataclass(frozen=True)
class Case:
    """An artefact that was taken out of the inbox. folder: its own. name: of the file in it."""

    folder: Path
    name: str

    @property
    def artefact(self) -> Path:
        """The artefact's file."""
        return self.folder / self.name

    def unreadable(self) -> str:
        """Returns the name of a file that this user may not read, as its owner has handed it in; else an empty text."""
        names = (self.name, f"{self.name}{OPTIONS}")
        files = ((name, self.folder / name) for name in names)
        return next((name for name, file in files if file.exists() and not os.access(file, os.R_OK)), "")

    def options(self) -> Options:
        """Raises BuildError if the file beside the artefact is damaged or has an option that there is not."""
        file = self.folder / f"{self.name}{OPTIONS}"
        return read_file(file, Options) if file.exists() else Options()

    def started(self) -> Started | None:
        """Returns None if its publish has never begun."""
        file = self.folder / _STARTED
        return read_file(file, Started) if file.exists() else None

    def start(self, started: Started) -> None:
        """Notes that its publish begins, unless an earlier try has noted it."""
        if not (self.folder / _STARTED).exists():
            replace_file(self.folder / _STARTED, started.model_dump_json(), staged_in=self.folder)

    def close(self, outcome: Outcome) -> Path:
        """Moves the case to done/ or refused/. Returns its folder there."""
        replace_file(self.folder / RESULT, outcome.model_dump_json(indent=1) + "\n", staged_in=self.folder)
        return self._move(outcome)

    def _move(self, outcome: Outcome) -> Path:
        place = self.folder.parents[1] / (REFUSED if outcome.version is None else DONE) / self.folder.name
        rename_file(self.folder, place)  # what is in it is on disk since it was handed in, and may be unreadable here
        return place

    def resume(self, inbox: Path) -> bool:
        """Takes its files out of the inbox, or completes what a killed tend has begun to do with it.

        Returns whether there is still something to publish.
        """
        if (self.folder / RESULT).exists():
            self._move(read_file(self.folder / RESULT, Outcome))
            return False
        if not self.artefact.exists():  # it comes last: then the case is whole
            for name in (f"{self.name}{OPTIONS}", self.name):
                with suppress(FileNotFoundError):
                    (inbox / name).rename(self.folder / name)
        if not self.artefact.exists():
            self.close(Outcome.now(problem=f"{self.name} was taken out of the inbox by somebody else"))
            return False
        return True


_Content = TypeVar("_Content", bound=BaseModel)


def read_file(file: Path, kind: type[_Content]) -> _Content:
    """Reads one of a case's files. Raises BuildError if it is damaged."""
    try:
        return kind.model_validate(parse_json(file.read_bytes()))
    except NotJsonError as error:
        raise BuildError(f"{file.name} is damaged ({error}): write it again.") from error
    except ValidationError as error:
        raise BuildError(f"{file.name} is wrong ({first_problem(error)}): write it again.") from error
