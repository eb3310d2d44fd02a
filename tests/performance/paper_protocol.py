"""What docs/results.md measures: its pieces, each one command that can be resumed, and what each should take.

The arithmetic counts units: one layer of the encoder on one token, forward. A backward pass costs two more. Full
fine-tuning of N layers takes 3N units per token and epoch, a teacher on stored hidden states 3L, adapters 2N (no
gradients of the weights), a student 3l.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

GLUE = ("cola", "sst2", "mrpc", "stsb", "rte", "qnli", "qqp", "mnli")
ASSISTANT = ("trec", "snips", "atis", "banking77", "clinc150_domain", "wnut17")
DEEP = ("rte", "mrpc", "cola", "stsb", "trec", "snips")
METRICS = {"cola": "matthews"}
FEW_DEV = 1000  # tasks with fewer dev rows are measured with three seeds
HALVES, UNTIL = 0, 0.3
DOUBLINGS = 3  # of the first epochs; a teacher and its student together get no more than full fine-tuning
TOKENS_PER_WORD = 1.3  # word pieces, with what frames a text counted apart


@dataclass(frozen=True)
class Machine:
    """Seconds per unit on two cores. From one full step of all-mpnet-base-v2, 32 texts of 24 tokens: 4 s (Zen 3, fp32).

    all-MiniLM-L6-v2 is half as wide: a quarter of the work per layer, and a share that does not shrink with it.
    """

    mpnet: float = 4.0 / (32 * 24 * 3 * 12)
    minilm: float = 0.35 * 4.0 / (32 * 24 * 3 * 12)


@dataclass(frozen=True)
class Piece:
    """One part of the measurement.

    arguments: of `espalier`. result: the file that says whether it is done. seconds: by arithmetic, on all cores.
    after: the piece that chooses its learning rates, and must be done before.
    """

    name: str
    arguments: list[str]
    result: Path
    seconds: float
    after: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the result has no trainings left."""
        if not self.result.is_file():
            return False
        content = json.loads(self.result.read_bytes())
        if self.result.name == "joint.json":
            return len(content["leave_one_out"]) == len(content["full"])
        return content.get("to_do") == 0


@dataclass(frozen=True)
class Protocol:
    """The whole measurement. data: one folder per task. output: of all searches. mpnet: the folder of the encoder.

    shallow_rows, deep_rows: the most training rows of a task, on 6 and on 12 layers. glue_rows: of a task of GLUE,
    most of which are pairs and three times as long. epochs: of each way's first run.
    """

    data: Path
    output: Path
    mpnet: str | None
    machine: Machine
    shallow_rows: int = 1000
    deep_rows: int = 500
    glue_rows: int = 500
    dev_rows: int = 1000
    epochs: int = 3
    batch_size: int = 16
    max_length: int = 64

    def pieces(self) -> list[Piece]:
        """Returns all pieces, the longest first."""
        found = [
            self._shallow(task, seed)
            for task in (*GLUE, *ASSISTANT)
            for seed in range(3 if self._rows(task, "dev") < FEW_DEV else 1)
        ]
        found.append(self._joint())
        found += [self._exhaustive(task, is_deep=False) for task in ("trec", "mrpc")]
        if self.mpnet is not None:
            found += [self._deep(task) for task in DEEP]
            found += [self._exhaustive(task, is_deep=True) for task in ("rte", "trec")]
        return sorted(found, key=lambda piece: -piece.seconds)

    def _shallow(self, task: str, seed: int) -> Piece:
        """6 layers. The first seed has everything; the others leave out other taps, adapters and the grid of rates."""
        folder = self.output / f"minilm-seed{seed}" / task
        if seed:
            return self._shallow_again(task, seed, folder)
        taps = [2, 3, 4, 5]
        arguments = [
            *self._common(task, folder, "minilm", self.shallow_rows, seed),
            *("--teacher-layers", "2-5", "--student-layers", "1-3", "--rate-first"),
            *("--learning-rate", "1e-4", "--learning-rate", "3e-4"),
            *("--full-learning-rate", "1e-4", "--full-learning-rate", "3e-4"),
            *("--baseline", "full", "--baseline", "lora"),
            *("--lora-learning-rate", "1e-3", "--lora-learning-rate", "3e-3"),
            *("--double-until", str(UNTIL), "--most-epochs", self._most_epochs),
            *("--student-taps", "2-5"),
        ]
        units = _search_units(6, [2, 3, 4, 5], taps, rates=2, full_rates=2, lora_rates=2, longer=True)
        seconds = self._seconds(task, self.shallow_rows, units, self.machine.minilm)
        return Piece(f"minilm {task} seed {seed}", arguments, folder / "result.json", seconds)

    def _shallow_again(self, task: str, seed: int, folder: Path) -> Piece:
        """Another seed, at the rates that the first one chose (for the plan, at likely ones before)."""
        first = self.output / "minilm-seed0" / task / "result.json"
        rates = dict.fromkeys(_best_rate(first, role) or "3e-4" for role in ("teacher", "student"))
        arguments = [
            *self._common(task, folder, "minilm", self.shallow_rows, seed),
            *("--teacher-layers", "2-5", "--student-layers", "1-3", "--rate-first"),
            *(word for rate in rates for word in ("--learning-rate", rate)),
            *("--full-learning-rate", _best_rate(first, "full") or "1e-4", "--baseline", "full"),
            *("--double-until", str(UNTIL), "--most-epochs", self._most_epochs),
        ]
        units = _search_units(6, [2, 3, 4, 5], [], rates=1, full_rates=1, lora_rates=0, longer=True)
        seconds = self._seconds(task, self.shallow_rows, units, self.machine.minilm)
        return Piece(
            f"minilm {task} seed {seed}", arguments, folder / "result.json", seconds, after=f"minilm {task} seed 0"
        )

    def _deep(self, task: str) -> Piece:
        """12 layers: the few L that docs/search.md names, students of both starts."""
        folder = self.output / "mpnet" / task
        arguments = [
            *self._common(task, folder, str(self.mpnet), self.deep_rows, 0),
            *("--teacher-layers", "4,5,7,10", "--student-layers", "1-3", "--learning-rate", "5e-5"),
            *("--full-learning-rate", "2e-5", "--full-learning-rate", "5e-5", "--baseline", "full"),
            *("--double-until", str(UNTIL), "--most-epochs", self._most_epochs),
            *(("--baseline", "vanilla") if task in ("rte", "trec") else ()),  # the paper's Figure 2
        ]
        units = _search_units(12, [4, 5, 7, 10], [], rates=1, full_rates=2, lora_rates=0, longer=True)
        units += 3 * 6 if task in ("rte", "trec") else 0
        seconds = self._seconds(task, self.deep_rows, units, self.machine.mpnet)
        return Piece(f"mpnet {task}", arguments, folder / "result.json", seconds)

    def _exhaustive(self, task: str, is_deep: bool) -> Piece:
        """Every L to the end, with the epochs and at the rate of the quick search, so that L alone differs.

        The L that the quick search has trained so are not trained again: the same seed gives the same teacher.
        """
        quick = self._deep(task) if is_deep else self._shallow(task, 0)
        layers, likely_rate = (range(4, 11), "5e-5") if is_deep else (range(1, 6), "3e-4")
        rows, unit = (self.deep_rows, self.machine.mpnet) if is_deep else (self.shallow_rows, self.machine.minilm)
        rate = _best_rate(quick.result, "teacher") or likely_rate
        missing = sorted(set(layers) - _first_teachers(quick.result, float(rate)))
        name = "mpnet" if is_deep else "minilm"
        folder = self.output / f"{name}-exhaustive" / task
        arguments = [
            *self._common(task, folder, str(self.mpnet) if is_deep else "minilm", rows, 0),
            *("--teacher-layers", ",".join(map(str, missing)), "--student-layers", "1"),
            *("--no-prune", "--learning-rate", rate),
        ]
        seconds = self._seconds(task, rows, 3.0 * (sum(missing) + 1), unit)
        return Piece(f"{name} {task} exhaustive", arguments, folder / "result.json", seconds, after=quick.name)

    def _joint(self) -> Piece:
        """MT-DNN of the eight GLUE tasks, in full and leaving out each in turn."""
        folder, rows = self.output / "minilm-seed0", self._most_rows(GLUE[0], self.shallow_rows)
        arguments = [
            *("joint", *(str(self._folder(task)) for task in GLUE), "--output", str(folder)),
            *("--train-rows", str(rows), "--dev-rows", str(self.dev_rows), "--halve-dev", str(HALVES)),
            *("--epochs", self._epochs, "--learning-rate", "1e-4", "--max-length", str(self.max_length)),
            *("--batch-size", str(self.batch_size)),
        ]
        tokens = sum(self._tokens(task, self.shallow_rows) for task in GLUE)
        # The full model sees all tasks, each of the eight others all but one; heads cost little.
        units = 3 * 6 * self.epochs * (1 + (len(GLUE) - 1))
        return Piece("minilm joint", arguments, folder / "joint.json", tokens * units * self.machine.minilm)

    def _common(self, task: str, folder: Path, encoder: str, rows: int, seed: int) -> list[str]:
        return [
            *("search", str(self._folder(task)), "--output", str(folder), "--encoder", encoder),
            *("--train-rows", str(self._most_rows(task, rows)), "--dev-rows", str(self.dev_rows)),
            *("--halve-dev", str(HALVES), "--seed", str(seed), "--epochs", self._epochs),
            *("--max-length", str(self.max_length), "--batch-size", str(self.batch_size)),
        ]

    def _most_rows(self, task: str, rows: int) -> int:
        """The most training rows of this task, where tasks of its encoder have at most `rows`."""
        return min(rows, self.glue_rows) if task in GLUE else rows

    @property
    def _most_epochs(self) -> str:
        """Of a longer run, and of a teacher and its student together."""
        return str(self.epochs * 2**DOUBLINGS)

    @property
    def _epochs(self) -> str:
        """All epochs, of which the later half may be kept: a teacher that lags in the first ones is not stopped."""
        return f"{self.epochs // 2}-{self.epochs}"

    def _folder(self, task: str) -> Path:
        """The task's data: with a task.json of our own where the metric is another than the kind's."""
        data = self.data / task
        if task not in METRICS:
            return data
        folder = self.output / "data" / task
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "task.json").is_file():  # a search that begins may be reading it
            (folder / "task.json").write_text(json.dumps({"metric": METRICS[task]}), encoding="utf-8")
        for split in ("train", "dev"):
            link = folder / f"{split}.jsonl"
            if not link.is_symlink():
                link.symlink_to((data / link.name).resolve())
        return folder

    def _seconds(self, task: str, rows: int, units: float, unit: float) -> float:
        return self._tokens(task, rows) * units * self.epochs * unit

    def _rows(self, task: str, split: str) -> int:
        return len(_words(self.data / task / f"{split}.jsonl"))

    def _tokens(self, task: str, rows: int) -> float:
        """Tokens of the training rows of an epoch, each cut to the longest that is trained.

        After the epoch half of the dev rows are scored, each at a third of the work of a training row.
        """
        words = _words(self.data / task / "train.jsonl")
        lengths = [min(self.max_length, TOKENS_PER_WORD * number + 3) for number in words]
        scored = min(self.dev_rows, self._rows(task, "dev")) / 2
        return (min(self._most_rows(task, rows), len(words)) + scored / 3) * sum(lengths) / len(lengths)


@cache
def _words(path: Path) -> list[int]:
    """Returns how many words each row has."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [len(" ".join(row.get("tokens") or [row["text"], row.get("text_pair") or ""]).split()) for row in rows]


def _search_units(
    layers: int, teachers: list[int], taps: list[int], rates: int, full_rates: int, lora_rates: int, longer: bool
) -> float:
    """Units per token and epoch of a search with three students.

    longer: the runs that show convergence: the chosen teacher and each student once with twice the epochs; full
    fine-tuning and adapters with twice and with four times, because they get a teacher's and its student's together.
    """
    middle, chosen = teachers[len(teachers) // 2], teachers[-1]
    units = 3.0 * layers * full_rates
    units += 3 * (sum(teachers) + (rates - 1) * middle)
    units += 3 * (6 + (rates - 1) * 2)
    units += 3 * 6 * max(len(taps) - 1, 0)
    units += 2 * layers * lora_rates
    if longer:
        units += 2 * 3 * (chosen + 6) + 6 * (3 * layers + (2 * layers if lora_rates else 0))
    return units


def _first_teachers(result: Path, rate: float) -> set[int]:
    """Returns the L of the teachers that a finished search has trained to the end of its first epochs at a rate."""
    return {
        one["layers"]
        for one in _trials(result, "teacher")
        if one.get("total_epochs") is None and one["learning_rate"] == rate
    }


def _best_rate(result: Path, role: str) -> str | None:
    """Returns the learning rate of the best trial of a role; None if there is no finished search."""
    best = max(_trials(result, role), key=lambda one: one["score"], default=None)
    return None if best is None else f"{best['learning_rate']:g}"


def _trials(result: Path, role: str) -> list[dict[str, Any]]:
    """Returns the finished trials of a role, of students those at their teacher's tap; none of an unfinished search."""
    content = json.loads(result.read_bytes()) if result.is_file() else {}
    if content.get("to_do") != 0:
        return []
    return [one for one in content["trials"] if (one["role"], one["state"], one.get("tap")) == (role, "finished", None)]


def hours(seconds: float) -> str:
    """Returns '1.3 h'."""
    return f"{math.ceil(seconds / 360) / 10:.1f} h"
