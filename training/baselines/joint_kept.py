"""What is kept of a joint training: each task's weights, and its score on the rows that give the figures."""

from pathlib import Path

from training.baselines.baseline_checkpoint import BaselineRole, baseline_record, joint_full_model, save_baseline
from training.bootstrap import resampled
from training.checkpoint import remove_checkpoint
from training.encoder import Encoder
from training.figure import Figure
from training.hyper_parameters import HyperParameters
from training.metrics import score
from training.model import Branch
from training.prepared_task import PreparedTask, Split


class Keeper:
    """Told of each trained task, it writes folder/TASK, a checkpoint that `evaluate` takes, and collects the figures.

    figures: task -> its score on the held half of dev, or on all of dev if that is not cut.
    """

    def __init__(self, folder: Path, role: BaselineRole, hyper: HyperParameters) -> None:
        self.folder, self.role, self.hyper = folder, role, hyper
        self.figures: dict[str, Figure] = {}

    def __call__(self, task: PreparedTask, encoder: Encoder, head: Branch) -> None:
        """encoder: the trained one; head: the task's branch without layers."""
        model = joint_full_model(encoder, head, task.outputs, task.kind).to(task.device)
        split: Split = "held" if "held" in task.splits else "dev"
        answers, golds = task.answers(model, split), task.golds(split)
        scores = score(task.kind, task.data.labels, answers, golds)
        draws = resampled(task.kind, task.data.labels, task.metric, answers, golds)
        self.figures[task.name] = Figure(
            rows=len(golds), score=scores[task.metric], draws=draws, chose_nothing=split == "held"
        )
        remove_checkpoint(self.folder / task.name)  # of a run that was killed
        record = baseline_record(task, self.role, task.scores(model), self.hyper)
        save_baseline(self.folder / task.name, record, model, task.encoder.tokenizer)
