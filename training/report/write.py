"""The report's folder: report.html and its plots once more."""

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from training.errors import TrainingError
from training.report.page import GENERATOR, Page

FILE: Final = "report.html"
_STAGED = ".staged-"


def check_place(folder: Path) -> None:
    """Raises TrainingError unless `folder` is new, empty, or holds nothing but an earlier report; asked before work."""
    if folder.is_dir():
        own = _files_of(folder / FILE)
        # A report that was killed while it was written leaves what it staged; that is no one's work.
        others = [path.name for path in folder.iterdir() if path.name not in own and not path.name.startswith(_STAGED)]
        if others:
            raise TrainingError(
                f"{folder} holds other things than an earlier report ({min(others)} is there): choose another --output."
            )
    elif os.path.lexists(folder):
        raise TrainingError(f"{folder} is no folder: choose another --output.")
    home = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(home, os.W_OK):
        raise TrainingError(f"{home} cannot be written to: choose another --output.")


def write_report(folder: Path, page: Page) -> None:
    """Puts the page and its plots into `folder`, in place of an earlier report.

    Who opens the page finds a whole one at any moment: it is replaced by one rename and needs no other file.
    Raises TrainingError as check_place does.
    """
    check_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _files_of(folder / FILE)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_STAGED) as temporary:
        staged = Path(temporary)
        for image in page.images:
            (staged / image.file).write_bytes(image.png)
        (staged / FILE).write_text(page.html, encoding="utf-8")
        for name in (*(image.file for image in page.images), FILE):
            (staged / name).replace(folder / name)
    for name in earlier - {FILE} - {image.file for image in page.images}:
        (folder / name).unlink(missing_ok=True)


def _files_of(page: Path) -> set[str]:
    """The files of the report whose page this is; none if it is no report."""
    html = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    if f'content="{GENERATOR}"' not in html:
        return set()
    return {FILE, *re.findall(r'data-file="(\w+\.png)"', html)}
