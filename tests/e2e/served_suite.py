"""The suite that the end-to-end tests serve: trained here, small, on the sample data and on real data."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from build_tools.build.builder import build
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.data import load_task
from training.encoder import Encoder, load_encoder
from training.hyper_parameters import HyperParameters
from training.sample_suite import write_sample_suite
from training.trainer import fine_tune
from training.trainer_distillation import distill

DATA = Path(os.environ.get("ESPALIER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

# Task -> (L, l or None for the teacher itself, train rows). Taps of all depths, single layers and whole teachers. Few
# rows: the tests compare answers with each other, so the answers need not be good.
SAMPLE_TASKS = {
    "domain": (2, 1, 100),
    "intent": (3, 2, 200),
    "slots": (3, None, 300),
    "emotion": (4, 1, 100),
    "coherence": (4, None, 100),
}
REAL_TASKS = {
    "sst2": (3, 1, 500),
    "mrpc": (4, None, 200),
    "stsb": (4, None, 300),
    "snips": (3, 2, 800),
}
REAL_DEV_ROWS = 200  # that training scores; their dev splits are large


@dataclass(frozen=True)
class Suite:
    """What the server serves. folders: each task's data; checkpoints: the branch that was built."""

    repository: Path
    folders: dict[str, Path]
    checkpoints: dict[str, Path]
    encoder: Encoder

    def checkpoint(self, task: str) -> Checkpoint:
        return load_checkpoint(self.checkpoints[task])


def train_and_build(root: Path) -> Suite:
    """Trains every task in `root` and builds the repository there."""
    folders = write_sample_suite(root / "data")
    tasks = dict(SAMPLE_TASKS)
    if DATA.is_dir():
        tasks |= REAL_TASKS
        folders |= {task: DATA / task for task in REAL_TASKS}
    checkpoints = {task: root / "checkpoints" / task for task in tasks}
    # A task per core, with one thread each, as demo.sh trains them.
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(_train, tasks, (folders[task] for task in tasks), tasks.values(), checkpoints.values()))
    repository = root / "repository"
    build(list(checkpoints.values()), repository)
    return Suite(repository, folders, checkpoints, load_encoder())


def _train(task: str, folder: Path, shape: tuple[int, int | None, int], checkpoint: Path) -> None:
    teacher_layers, student_layers, rows = shape
    encoder = load_encoder()
    data = load_task(str(folder), train_rows=rows, dev_rows=REAL_DEV_ROWS if task in REAL_TASKS else None)
    hyper = HyperParameters(learning_rate=3e-4, batch_size=16, epochs=1)
    trained = fine_tune(data, task, encoder, teacher_layers, hyper)
    if student_layers is not None:
        trained = distill(trained, data, encoder, student_layers, hyper)
    save_checkpoint(checkpoint, trained)
