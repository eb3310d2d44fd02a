"""The checkpoints that a command line names: by themselves, or in the suite files of `espalier select`."""

from collections.abc import Iterable
from pathlib import Path

from build_tools.errors import BuildError
from training.checkpoint import RECORD, load_record
from training.selection.suite_file import SuiteEntry, read_suite


def checkpoint_folders(paths: Iterable[Path]) -> list[Path]:
    """Each suite file among `paths` replaced by the folders it names; what is no file stays as it is.

    Raises BuildError if a suite names a checkpoint that is missing or is not the one it describes, TrainingError for
    a damaged suite or checkpoint.
    """
    folders: list[Path] = []
    for path in paths:
        folders += _suite_folders(path) if path.is_file() else [path]
    return folders


def _suite_folders(suite: Path) -> list[Path]:
    home = suite.resolve().parent  # a link to a suite reads as the suite does
    entries = read_suite(suite).tasks
    return [_checked(suite, task, entry, (home / entry.checkpoint).resolve()) for task, entry in entries.items()]


def _checked(suite: Path, task: str, entry: SuiteEntry, folder: Path) -> Path:
    if not (folder / RECORD).is_file():
        raise BuildError(
            f"{suite}: the checkpoint of {task} is missing ({folder} holds no {RECORD}): move the suite file together "
            "with its checkpoints, or run espalier select again."
        )
    record = load_record(folder)
    if (record.task, record.training.role, record.layers) != (task, entry.kind, entry.layers):
        raise BuildError(
            f"{suite}: {task} shall have a {entry.kind} of {entry.layers} layers, but {folder} is a "
            f"{record.training.role} of {record.task} with {record.layers}: run espalier select again."
        )
    return folder
