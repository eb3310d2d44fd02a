"""Hidden states on disk: frozen layers never change, so their outputs are computed once per text and kept."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from filelock import FileLock

from training.batches import Inputs, groups_by_length, make_inputs
from training.errors import TrainingWarning
from training.model import Trunk
from training.prepared_task import PreparedTask, Split
from training.tokenization import Tokens

BATCH = 64


@dataclass(frozen=True)
class Cache:
    """Room for hidden states while one branch trains. folder: an existing one; budget: bytes on its disk."""

    folder: Path
    budget: int


class StoredStates:
    """The hidden states of one split at one tap: a memory-mapped file of float16 [all tokens, H], without padding.

    Texts stand in it in the order in which they were computed, the shortest first.
    """

    def __init__(self, path: Path, tokens: Sequence[Tokens], hidden_size: int, device: torch.device) -> None:
        self.memory = np.memmap(path, dtype=np.float16, mode="r").reshape(-1, hidden_size)
        self.device = device
        self.starts = np.zeros(len(tokens), dtype=np.int64)
        start = 0
        for row in chain.from_iterable(groups_by_length(tokens, BATCH)):  # as _compute writes them
            self.starts[row] = start
            start += len(tokens[row].ids)
        self.lengths = np.array([len(one.ids) for one in tokens])

    def __call__(self, inputs: Inputs) -> torch.Tensor:
        hidden = np.zeros((*inputs.input_ids.shape, self.memory.shape[1]), dtype=np.float16)
        for place, row in enumerate(inputs.rows.tolist()):
            length = self.lengths[row]
            hidden[place, :length] = self.memory[self.starts[row] : self.starts[row] + length]
        return torch.from_numpy(hidden).to(self.device).float()


@contextmanager
def states_stored_in(cache: Cache | None, task: PreparedTask, tap: int, passes: int) -> Iterator[None]:
    """Stores the hidden states at `tap` in a temporary folder of the cache; inside the block `task` reads them there.

    passes: how often the block runs over the training rows. For a single pass nothing is stored: it saves nothing.
    Nothing is stored without a cache or with a budget of 0. Emits a TrainingWarning if the states do not fit.
    """
    if cache is None or cache.budget == 0 or passes < 2:
        yield
        return

    def warn(sentence: str) -> None:
        warnings.warn(sentence, TrainingWarning, stacklevel=2)

    with tempfile.TemporaryDirectory(dir=cache.folder, prefix=f".{task.name}.") as temporary:
        folder = Path(temporary) / "states"
        store_states(task, [tap], folder, cache.budget, warn)
        try:
            yield
        finally:
            drop_states(task, folder)


def store_states(
    task: PreparedTask, taps: Sequence[int], folder: Path, budget: int, report: Callable[[str], None]
) -> bool:
    """Computes the hidden states of all splits at `taps` in one pass, and lets `task` read them from then on.

    budget: bytes on disk. Where it is too small the deepest taps are kept, which save the most; what is not kept is
    recomputed in each epoch, and so is everything if the disk is full. Taps stored earlier make room if they must.
    Processes on one folder share the files.
    Returns whether this call computed any.
    """
    hidden_size = task.encoder.architecture.hidden_size
    sizes = {split: 2 * hidden_size * sum(len(one.ids) for one in task.tokens[split]) for split in task.splits}
    bytes_per_tap = sum(sizes.values())
    room = budget // bytes_per_tap
    kept = sorted(set(taps), reverse=True)[:room]
    if len(kept) < len(set(taps)):
        report(
            f"{task.name}: the hidden states of a tap take {bytes_per_tap / 1e9:.2f} GB, the cache may take "
            f"{budget / 1e9:.2f} GB: {len(kept)} of {len(set(taps))} taps are kept, the rest is recomputed each epoch."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        _make_room(task, folder, kept, room)
        missing = [
            tap
            for tap in sorted(kept)
            if not all(_is_whole(_path(folder, split, tap), size) for split, size in sizes.items())
        ]
        try:
            for split in task.splits:
                _compute(task, split, missing, folder)
        except OSError as error:
            for unfinished in folder.glob("*.part"):
                unfinished.unlink()
            for split in task.splits:  # one split is of no use without the others, and the room is wanted
                for tap in missing:
                    _path(folder, split, tap).unlink(missing_ok=True)
            report(
                f"{task.name}: the hidden states could not be stored in {folder} ({error.strerror}): they are "
                "recomputed in each epoch, which is slower; make room or give a smaller cache."
            )
            return True
        for split in task.splits:
            for tap in kept:
                path = _path(folder, split, tap)
                task.stored[split, tap] = StoredStates(path, task.tokens[split], hidden_size, task.device)
    return bool(missing)


def _make_room(task: PreparedTask, folder: Path, kept: Sequence[int], room: int) -> None:
    """Removes taps that are stored and not to be kept, the lowest first, until no more than `room` are left."""
    others = sorted({int(path.stem.rpartition("_")[2]) for path in folder.glob("*_hidden_*.f16")} - set(kept))
    for tap in others[: max(0, len(kept) + len(others) - room)]:
        for split in task.splits:
            task.stored.pop((split, tap), None)
            _path(folder, split, tap).unlink(missing_ok=True)


def _is_whole(path: Path, size: int) -> bool:
    """False also for a file that a machine did not write to the end before it went down."""
    return path.is_file() and path.stat().st_size == size


@torch.no_grad()
def _compute(task: PreparedTask, split: Split, taps: Sequence[int], folder: Path) -> None:
    """Runs the trunk once over all texts; a file gets its name when it is whole."""
    if not taps:
        return
    trunk = Trunk(task.encoder, taps).to(task.device)
    tokens = task.tokens[split]
    parts = {tap: _path(folder, split, tap).with_suffix(".part") for tap in taps}
    files: dict[int, BinaryIO] = {}
    try:
        for tap in taps:
            files[tap] = parts[tap].open("wb")
        for rows in groups_by_length(tokens, BATCH):
            inputs = make_inputs(tokens, rows).to(task.device)
            outputs = trunk(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)
            real = inputs.attention_mask.bool()
            for tap, hidden in zip(taps, outputs, strict=True):
                files[tap].write(hidden[real].to(torch.float16).cpu().numpy().tobytes())
    finally:
        for file in files.values():
            file.close()
    for tap in taps:
        parts[tap].replace(_path(folder, split, tap))


def drop_states(task: PreparedTask, folder: Path) -> None:
    """Removes the files; a process that has them mapped keeps what it has."""
    task.stored.clear()
    with _lock(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> FileLock:
    """Beside the folder, which drop_states removes."""
    return FileLock(folder.with_suffix(".lock"))


def _path(folder: Path, split: Split, tap: int) -> Path:
    return folder / f"{split}_hidden_{tap}.f16"
