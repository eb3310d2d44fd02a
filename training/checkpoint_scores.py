"""Scores checkpoints, of branches and of baselines, on files of labelled rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from training.baselines.baseline_checkpoint import BaselineRecord, is_baseline, load_baseline, read_baseline_record
from training.bootstrap import resampled, standard_error
from training.branch_record import BranchRecord
from training.checkpoint import load_checkpoint
from training.data import Example
from training.data.task import read_examples
from training.device import training_device
from training.encoder import Encoder, load_encoder
from training.evaluator import answers_of
from training.metrics import score
from training.model import Trunk
from training.task_model import ComputedStates, TaskModel
from training.tokenization import tokenize
from training.trunk_fit import check_trunk


@dataclass(frozen=True)
class CheckpointScores:
    """What a checkpoint scores on some rows.

    scores: all metrics of the kind, in points. draws: the task's metric on rows drawn again (bootstrap.resampled).
    """

    task: str
    metric: str
    rows: int
    scores: dict[str, float]
    draws: list[float]

    @property
    def score(self) -> float:
        """The task's metric."""
        return self.scores[self.metric]

    @property
    def error(self) -> float:
        """The standard error of the task's metric, in points."""
        return standard_error(self.draws)

    def as_json(self) -> dict[str, Any]:
        """Returns the scores as `espalier evaluate --json` prints them."""
        return {
            "task": self.task,
            "metric": self.metric,
            "rows": self.rows,
            "scores": self.scores,
            "standard_error": round(self.error, 2),
        }


class CheckpointScorer:
    """Scores checkpoints one after the other; an encoder that several share is loaded once."""

    def __init__(self, encoder: str | None = None) -> None:
        """encoder: another name or folder of the checkpoints' encoder; None is what each of them names."""
        self.encoder = encoder
        self._encoders: dict[str, Encoder] = {}

    def score(self, folder: Path, data: Path) -> CheckpointScores:
        """Returns the scores on the rows of `data`, a .jsonl, .csv or .tsv file.

        Raises TrainingError if the checkpoint or a row cannot be read, a label is not one of the task's, or the encoder
        is another than the checkpoint's.
        """
        if is_baseline(folder):
            record: BranchRecord | BaselineRecord = read_baseline_record(folder)
            examples = read_examples(data, record.kind, tuple(record.labels))
            baseline = load_baseline(folder, self._encoder(record.encoder.name))
            return _scores(record, baseline.model, baseline.tokenizer, examples)
        checkpoint = load_checkpoint(folder)
        record = checkpoint.record
        examples = read_examples(data, record.kind, tuple(record.labels))
        encoder = self._encoder(record.encoder.name)
        check_trunk(checkpoint, encoder)
        model = TaskModel(ComputedStates(Trunk(encoder, [record.tap]).to(training_device())), checkpoint.branch)
        return _scores(record, model, checkpoint.tokenizer, examples)

    def _encoder(self, named: str) -> Encoder:
        name = self.encoder or named
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name)
        return self._encoders[name]


def _scores(
    record: BranchRecord | BaselineRecord, model: nn.Module, tokenizer: Tokenizer, examples: Sequence[Example]
) -> CheckpointScores:
    tokens = tokenize(tokenizer, examples, record.max_length)
    answers = answers_of(model.to(training_device()), tokens, record.kind, record.labels)
    golds = [example.label for example in examples]
    return CheckpointScores(
        task=record.task,
        metric=record.metric,
        rows=len(examples),
        scores=score(record.kind, record.labels, answers, golds),
        draws=resampled(record.kind, record.labels, record.metric, answers, golds),
    )
