"""The checkpoint folders that a command line names, directly or through the suite files of `espalier select`."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from build_tools.errors import BuildError
from training.branch_record import RECORD
from training.checkpoint import load_record
from training.selection.suite_file import SuiteEntry, read_suite


def checkpoint_folders(paths: Iterable[Path]) -> list[Path]:
    """Returns `paths` with each suite file replaced by the checkpoint folders that it names.

    Raises BuildError if a file is an artefact, or if a checkpoint of a suite is missing or differs from what the suite
    says; TrainingError if a suite file or a checkpoint is damaged.
    """
    folders: list[Path] = []
    for path in paths:
        if path.is_file() and zipfile.is_zipfile(path):
            raise BuildError(
                f"{path} is an artefact: build takes task checkpoints and suite files. Add an artefact to a repository "
                "that is built, with espalier publish."
            )
        folders += _suite_folders(path) if path.is_file() else [path]
    return folders


def _suite_folders(suite: Path) -> list[Path]:
    home = suite.resolve().parent  # paths are relative to the suite file itself, not to a link to it
    entries = read_suite(suite).tasks
    return [_checked(suite, task, entry, (home / entry.checkpoint).resolve()) for task, entry in entries.items()]


def _checked(suite: Path, task: str, entry: SuiteEntry, folder: Path) -> Path:
    if not (folder / RECORD).is_file():
        raise BuildError(
            f"{suite}: the checkpoint of {task} is missing ({folder} has no {RECORD}): move the suite file together "
            "with its checkpoints, or run espalier select again."
        )
    record = load_record(folder)
    if (record.task, record.training.role, record.layers) != (task, entry.role, entry.layers):
        raise BuildError(
            f"{suite}: the entry of {task} is a {entry.role} (layers: {entry.layers}), but {folder} holds a "
            f"{record.training.role} of {record.task} (layers: {record.layers}): run espalier select again."
        )
    return folder
