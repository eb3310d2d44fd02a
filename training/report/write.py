"""Writes the report's folder: report.html, and each of its plots as a file of its own."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from training.atomic_write import replace_file
from training.errors import TrainingError
from training.report.page import GENERATOR, Page

FILE: Final = "report.html"
_STAGING: Final = ".staged"


def check_place(folder: Path) -> None:
    """Checks the report's folder; the caller asks before it does the work.

    Raises TrainingError unless `folder` is writable and is new, empty, or holds nothing but an earlier report.
    """
    if folder.is_dir():
        # A report that was killed while it was written leaves its staging folder.
        others = {path.name for path in folder.iterdir()} - _files_of(folder / FILE) - {_STAGING}
        if others:
            raise TrainingError(
                f"{folder} holds other things than an earlier report ({min(others)} is there): choose another --output."
            )
    elif os.path.lexists(folder):
        raise TrainingError(f"{folder} is not a folder: choose another --output.")
    home = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(home, os.W_OK):
        raise TrainingError(f"{home} cannot be written to: choose another --output.")


def write_report(folder: Path, page: Page) -> None:
    """Writes the page and its plots to `folder`, in place of an earlier report.

    The page is replaced first and needs no other file, so a reader always finds a complete report. If the disk is full
    after that, the same call can be repeated: the page names the plots that belong to it.
    Raises TrainingError as check_place does.
    """
    check_place(folder)
    earlier = _files_of(folder / FILE)
    staging = folder / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    try:
        replace_file(folder / FILE, page.html, staged_in=staging)
        for name in earlier - {FILE} - {image.file for image in page.images}:
            (folder / name).unlink(missing_ok=True)
        for image in page.images:
            replace_file(folder / image.file, image.png, staged_in=staging)
    finally:
        shutil.rmtree(staging)


def _files_of(page: Path) -> set[str]:
    """Returns the names of the files that belong to this page; none if it is not a report."""
    html = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    if f'content="{GENERATOR}"' not in html:
        return set()
    return {FILE, *re.findall(r'data-file="(\w+\.png)"', html)}
