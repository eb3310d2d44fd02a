"""The inbox: a folder in which artefacts wait until `espalier tend` publishes them.

inbox/NAME.espalier          an artefact, written under another name and renamed; the oldest is taken first
inbox/NAME.espalier.json     options of its publish, if there are any; written before the artefact is renamed
inbox/working/TIME.NAME      the case that is being published
inbox/done/, refused/        closed cases, each with result.json
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.tending.case import DONE, REFUSED, Case

SUFFIX = ".espalier"
WORKING = "working"
_MOST_BYTES = 200  # of a name: a case's folder has the time before it, and a system's limit is 255
GOOD_NAME = f"at most {_MOST_BYTES} bytes, all of them printable characters"


class Inbox:
    """The inbox as tend uses it. Only one process does."""

    def __init__(self, folder: Path) -> None:
        """Makes the folders that are missing. Raises OSError if that cannot be done."""
        self.folder = folder
        for name in (WORKING, DONE, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def next_case(self) -> Case | None:
        """Returns the case that was begun, or else takes the oldest artefact; None if nothing waits.

        Raises BuildError if nothing waits but a file whose name no case can have.
        """
        for folder in sorted((self.folder / WORKING).iterdir()):
            case = Case(folder, folder.name.partition(".")[2])
            if case.name and case.resume(self.folder):  # without a name it is not tend's
                return case
        left = ""
        for file in self._waiting():
            if not is_good_name(file.name):
                left = left or file.name
                continue
            case = Case(self.folder / WORKING / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.{file.name}", file.name)
            case.folder.mkdir()
            if case.resume(self.folder):
                return case
        if left:
            raise BuildError(f"{left!r:.80} is left in {self.folder}: give it a name of {GOOD_NAME}.")
        return None

    def _waiting(self) -> list[Path]:
        """The artefacts, oldest first: a rename sets the time of a file's last change of state."""
        found = []
        for path in self.folder.iterdir():
            if path.name.endswith(SUFFIX) and not path.name.startswith("."):
                with suppress(FileNotFoundError):
                    if path.is_file():
                        found.append((path.stat().st_ctime_ns, path))
        return [path for _, path in sorted(found)]


def is_good_name(name: str) -> bool:
    """Whether a case can have an artefact of this name: its folder, messages and result.json hold the name too."""
    return name.isprintable() and len(name.encode()) <= _MOST_BYTES
