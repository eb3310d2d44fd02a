"""Trains one trial and saves its checkpoint."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch

from training.baselines.full_fine_tuning import fully_fine_tune
from training.checkpoint import Checkpoint, save_checkpoint
from training.errors import NotFiniteError
from training.loop import Fit
from training.model import bottom_of, student_of
from training.prepared_task import PreparedTask
from training.search.ledger import Claim
from training.search.result import Trial
from training.search.settings import Settings
from training.search.spec import Spec
from training.trainer import checkpoint_of, fine_tune_branch
from training.trainer_distillation import TeacherLogits, distill_branch


@dataclass(frozen=True)
class Teacher:
    """The chosen teacher and its logits on the training rows."""

    checkpoint: Checkpoint
    logits: TeacherLogits


class TrialTraining:
    """Trains claimed trials of one task and saves their checkpoints in `folder`/checkpoints."""

    def __init__(self, folder: Path, task: PreparedTask, settings: Settings) -> None:
        self.folder, self.task, self.settings = folder, task, settings

    def full(self, claim: Claim) -> Trial:
        """Trains the baseline full fine-tuning."""
        hyper = self.settings.hyper(claim.spec)
        return self._train(claim, lambda: (fully_fine_tune(self.task, hyper, claim.after_epoch), None))

    def teacher(self, claim: Claim) -> Trial:
        """Trains a teacher of the claimed L."""
        hyper = self.settings.hyper(claim.spec)

        def train() -> tuple[Fit, Checkpoint]:
            branch, fit = fine_tune_branch(self.task, claim.spec.layers, hyper, claim.after_epoch)
            return fit, checkpoint_of(self.task, branch, fit, hyper)

        return self._train(claim, train)

    def student(self, claim: Claim, teacher: Teacher) -> Trial:
        """Trains a student, or the baseline student that starts from the pretrained encoder."""
        spec, record, encoder = claim.spec, teacher.checkpoint.record, self.task.encoder
        hyper = self.settings.hyper(spec)

        def train() -> tuple[Fit, Checkpoint | None]:
            torch.manual_seed(spec.seed)
            if spec.role == "student":
                student = student_of(teacher.checkpoint.branch, encoder, spec.layers)
            else:
                student = bottom_of(encoder, record.tap, spec.layers, teacher.checkpoint.branch)
            fit = distill_branch(self.task, student, record.tap, teacher.logits, hyper, claim.after_epoch)
            is_baseline = spec.role == "vanilla"
            return fit, None if is_baseline else checkpoint_of(self.task, student, fit, hyper, teacher=record)

        return self._train(claim, train)

    def _train(self, claim: Claim, train: Callable[[], tuple[Fit, Checkpoint | None]]) -> Trial:
        """Trains, saves the checkpoint if there is one, and returns the trial with its outcome."""
        start = time.perf_counter()
        path = None
        outcome: dict[str, Any]
        try:
            fit, checkpoint = train()
        except optuna.TrialPruned:
            outcome = {"state": "pruned"}
        except NotFiniteError as error:
            outcome = {"state": "failed", "message": str(error)}
        else:
            if checkpoint is not None:
                path = self._save(claim.spec, checkpoint)
            score = fit.scores[self.task.metric]
            outcome = {"state": "finished", "best_epoch": fit.best_epoch, "score": score, "scores": fit.scores}
        seconds = time.perf_counter() - start
        return Trial(**claim.spec.params, **outcome, epochs=claim.epochs, seconds=seconds, checkpoint=path)

    def _save(self, spec: Spec, checkpoint: Checkpoint) -> str:
        path = f"checkpoints/{spec.name}"
        # A trial that was killed after it had saved is trained again. Its lock keeps other processes out.
        shutil.rmtree(self.folder / path, ignore_errors=True)
        save_checkpoint(self.folder / path, checkpoint)
        return path
