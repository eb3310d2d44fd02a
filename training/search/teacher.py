"""The chosen teacher, with what students learn from it."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from training.atomic_write import replace_file
from training.checkpoint import Checkpoint, load_checkpoint
from training.prepared_task import PreparedTask
from training.search.stopwatch import Stopwatch
from training.trainer_distillation import TeacherLogits, TeacherLogitsOnTrain, all_logits


@dataclass(frozen=True)
class Teacher:
    """A teacher and the logits that its students learn from: its own, or those of an original, on the training rows."""

    checkpoint: Checkpoint
    logits: TeacherLogits


def load_teacher(task: PreparedTask, folder: Path, name: str, computed: Callable[[Stopwatch], None]) -> Teacher:
    """Loads a teacher of the search in `folder`, and its logits.

    The first process computes the logits and stores them in folder/cache, the others read them there.
    name: of the teacher's checkpoint. computed: told how long the logits took, if they had to be computed.
    Raises TrainingError if the checkpoint is missing or damaged.
    """
    checkpoint = load_checkpoint(folder / "checkpoints" / name)
    file = folder / "cache" / f"{name}_logits.npy"
    with FileLock(folder / "locks" / "logits"):
        if not file.exists():
            watch = Stopwatch()
            logits = all_logits(task, checkpoint.branch, checkpoint.record.tap)
            computed(watch)
            content = io.BytesIO()
            np.save(content, logits)
            try:
                file.parent.mkdir(exist_ok=True)
                replace_file(file, content.getvalue(), staged_in=file.parent)
            except OSError:  # the disk is full: each process computes its own
                return Teacher(checkpoint, TeacherLogitsOnTrain(task, logits))
    return Teacher(checkpoint, TeacherLogitsOnTrain(task, np.load(file, mmap_mode="r")))
