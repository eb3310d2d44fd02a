"""Where a task's rows come from: a folder of files, or a data set of the Hugging Face hub."""

from pathlib import Path

from training.data.split import Split, find_split_file, read_split
from training.data.task_file import TaskFile, read_task_file
from training.errors import TrainingError
from training.kinds import Kind

HUB_PREFIX = "hub:"


def is_folder(source: str) -> bool:
    """False for a data set of the hub, beside whose rows no task.json can stand."""
    return not source.startswith(HUB_PREFIX)


def absolute(source: str) -> str:
    """The source under a name that finds it from every current folder: `espalier report` reads it again."""
    return str(Path(source).resolve()) if is_folder(source) else source


def read_splits(source: str, kind: Kind | None) -> tuple[TaskFile, dict[str, Split]]:
    """The task.json, and the splits "train" and "dev" with their fields renamed to ours.

    source: a folder, or `hub:NAME[:CONFIGURATION]`. kind: decides which columns of the hub's data are read.
    Raises TrainingError if a split is missing, cannot be read or has no rows, and if task.json names a column that no
    row has.
    """
    if not is_folder(source):
        from training.data.hub import read_hub  # `datasets` is slow to import, and most runs read files

        found = read_hub(source.removeprefix(HUB_PREFIX), kind)
        splits = {split: Split(list(pairs)) for split, pairs in found.items()}
        _check_rows(source, splits)
        return TaskFile(), splits
    folder = Path(source)
    if not folder.is_dir():
        raise TrainingError(
            f"{source} is not a folder: give a folder with train.jsonl and dev.jsonl, "
            f"or a hub data set as {HUB_PREFIX}NAME."
        )
    files = {split: find_split_file(folder, split) for split in ("train", "dev")}
    task_file = read_task_file(folder)
    splits = {split: read_split(file) for split, file in files.items()}
    _check_rows(source, splits)
    task_file.check_columns([row for split in splits.values() for _, row in split.pairs], folder)
    return task_file, {name: split.renamed(task_file) for name, split in splits.items()}


def _check_rows(source: str, splits: dict[str, Split]) -> None:
    if not all(split.pairs for split in splits.values()):
        raise TrainingError(f"{source}: both train and dev need at least one row.")
