"""Trains one trial and saves its checkpoint."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch

from training.adoption.adopt import Adopted
from training.adoption.distill import branch_of_encoder
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
from training.trainer import checkpoint_of, fine_tune_branch, teacher_tap
from training.trainer_distillation import TeacherLogits, distill_branch


@dataclass(frozen=True)
class Teacher:
    """The chosen teacher and its logits on the training rows."""

    checkpoint: Checkpoint
    logits: TeacherLogits


class TrialTraining:
    """Trains claimed trials of one task and saves their checkpoints in `folder`/checkpoints."""

    def __init__(self, folder: Path, task: PreparedTask, settings: Settings, adopted: Adopted | None = None) -> None:
        """adopted: the model of transformers that the branches learn from, if any."""
        self.folder, self.task, self.settings, self.adopted = folder, task, settings, adopted
        self.original_logits = adopted.teacher_logits(task) if adopted else None

    def full(self, claim: Claim) -> Trial:
        """Trains the baseline full fine-tuning."""
        hyper = self.settings.hyper(claim.spec)
        return self._train(claim, lambda: (fully_fine_tune(self.task, hyper, claim.after_epoch), None))

    def teacher(self, claim: Claim) -> Trial:
        """Trains a teacher of the claimed L."""
        layers, hyper = claim.spec.layers, self.settings.hyper(claim.spec)

        def train() -> tuple[Fit, Checkpoint]:
            if self.adopted is None or self.original_logits is None:
                branch, fit = fine_tune_branch(self.task, layers, hyper, claim.after_epoch)
                return fit, checkpoint_of(self.task, branch, fit, hyper)
            tap = teacher_tap(self.task.encoder, layers)
            torch.manual_seed(hyper.seed)
            branch = branch_of_encoder(self.task, tap, layers)
            fit = distill_branch(self.task, branch, tap, self.original_logits, hyper, claim.after_epoch)
            return fit, checkpoint_of(self.task, branch, fit, hyper, original=self.adopted.original)

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
