"""Trains one trial, scores it and saves its checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from torch import nn

from training.adoption.adopt import Adopted
from training.adoption.distill import branch_of_encoder
from training.baselines.baseline_checkpoint import BaselineRole, baseline_record, save_baseline
from training.baselines.full_fine_tuning import fully_fine_tune
from training.baselines.lora import train_lora
from training.bootstrap import resampled
from training.checkpoint import Checkpoint, remove_checkpoint, save_checkpoint
from training.errors import NotFiniteError
from training.loop import Fit
from training.metrics import score
from training.model import Branch, bottom_of, student_of
from training.prepared_task import PreparedTask, Split
from training.search.ledger import Claim
from training.search.result import Trial
from training.search.settings import Settings
from training.search.spec import Spec
from training.search.stopwatch import Stopwatch
from training.search.student_start import student_at
from training.search.teacher import Teacher
from training.task_model import FullModel
from training.trainer import checkpoint_of, fine_tune_branch, teacher_tap
from training.trainer_distillation import distill_branch


@dataclass(frozen=True)
class Trained:
    """A training that ended. reads: the model for the rows of a split. save: writes the checkpoint to a new folder."""

    fit: Fit
    reads: Callable[[Split], nn.Module]
    save: Callable[[Path], None]


class TrialTraining:
    """Trains claimed trials of one task and saves their checkpoints in `folder`/checkpoints."""

    def __init__(self, folder: Path, task: PreparedTask, settings: Settings, adopted: Adopted | None = None) -> None:
        """adopted: the model of transformers that the branches learn from, if any."""
        self.folder, self.task, self.settings, self.adopted = folder, task, settings, adopted
        self.original_logits = adopted.teacher_logits(task) if adopted else None

    def full(self, claim: Claim) -> Trial:
        """Trains the baseline full fine-tuning."""
        return self._train(claim, lambda: self._baseline(claim.spec, "full", *self._fully(claim)))

    def lora(self, claim: Claim) -> Trial:
        """Trains the baseline of adapters."""
        hyper = self.settings.hyper(claim.spec)
        return self._train(
            claim, lambda: self._baseline(claim.spec, "lora", *train_lora(self.task, hyper, claim.after_epoch))
        )

    def teacher(self, claim: Claim) -> Trial:
        """Trains a teacher of the claimed L."""
        layers, hyper = claim.spec.layers, self.settings.hyper(claim.spec)

        def train() -> Trained:
            tap = teacher_tap(self.task.encoder, layers)
            if self.adopted is None or self.original_logits is None:
                branch, fit = fine_tune_branch(self.task, layers, hyper, claim.after_epoch)
            else:
                torch.manual_seed(hyper.seed)
                branch = branch_of_encoder(self.task, tap, layers)
                fit = distill_branch(self.task, branch, tap, self.original_logits, hyper, claim.after_epoch)
            original = self.adopted.original if self.adopted else None
            return self._branch(
                branch, tap, fit, lambda: checkpoint_of(self.task, branch, fit, hyper, original=original)
            )

        return self._train(claim, train)

    def student(self, claim: Claim, teacher: Teacher) -> Trial:
        """Trains a student, or the baseline student that starts from the pretrained encoder."""
        spec, record, encoder = claim.spec, teacher.checkpoint.record, self.task.encoder
        hyper = self.settings.hyper(spec)
        tap = spec.tap or record.tap

        def train() -> Trained:
            torch.manual_seed(spec.seed)
            if spec.role == "vanilla":
                student = bottom_of(encoder, tap, spec.layers, teacher.checkpoint.branch)
            elif tap == record.tap:
                student = student_of(teacher.checkpoint.branch, encoder, spec.layers)
            else:
                student = student_at(teacher.checkpoint.branch, record.tap, encoder, tap, spec.layers)
            fit = distill_branch(self.task, student, tap, teacher.logits, hyper, claim.after_epoch)

            def checkpoint() -> Checkpoint:
                made = checkpoint_of(self.task, student, fit, hyper, teacher=record, tap=tap)
                if spec.role == "vanilla":
                    made.record.training.hyper_parameters["start"] = "the pretrained encoder"
                return made

            return self._branch(student, tap, fit, checkpoint)

        return self._train(claim, train)

    def _fully(self, claim: Claim) -> tuple[FullModel, Fit]:
        return fully_fine_tune(self.task, self.settings.hyper(claim.spec), claim.after_epoch)

    def _branch(self, branch: Branch, tap: int, fit: Fit, checkpoint: Callable[[], Checkpoint]) -> Trained:
        return Trained(
            fit, lambda split: self.task.model(split, branch, tap), lambda folder: save_checkpoint(folder, checkpoint())
        )

    def _baseline(self, spec: Spec, role: BaselineRole, model: FullModel, fit: Fit) -> Trained:
        record = baseline_record(self.task, role, fit.scores, self.settings.hyper(spec))
        tokenizer = self.task.encoder.tokenizer
        return Trained(fit, lambda _: model, lambda folder: save_baseline(folder, record, model, tokenizer))

    def _train(self, claim: Claim, train: Callable[[], Trained]) -> Trial:
        """Trains, scores the rows that give the figures, saves the checkpoint, and returns the trial."""
        watch = Stopwatch()
        path = None
        outcome: dict[str, Any]
        try:
            trained = train()
        except optuna.TrialPruned:
            outcome = {"state": "pruned"}
        except NotFiniteError as error:
            outcome = {"state": "failed", "message": str(error)}
        else:
            fit = trained.fit
            outcome = {
                "state": "finished",
                "best_epoch": fit.best_epoch,
                "score": fit.scores[self.task.metric],
                "scores": fit.scores,
                **self._figures(trained),
            }
            path = self._save(claim.spec, trained)
        return Trial(
            **claim.spec.params,
            **outcome,
            epochs=claim.epochs,
            seconds=watch.seconds,
            processor_seconds=watch.processor_seconds,
            checkpoint=path,
        )

    def _figures(self, trained: Trained) -> dict[str, Any]:
        """Scores the rows that give the figures: the held half of dev, or all of dev if it is not cut."""
        task = self.task
        split: Split = "held" if "held" in task.splits else "dev"
        answers, golds = task.answers(trained.reads(split), split), task.golds(split)
        return {
            "held_scores": score(task.kind, task.data.labels, answers, golds) if split == "held" else {},
            "draws": resampled(task.kind, task.data.labels, task.metric, answers, golds),
        }

    def _save(self, spec: Spec, trained: Trained) -> str:
        path = f"checkpoints/{spec.name}"
        # A trial that was killed while or after it saved is trained again. Its lock keeps other processes out.
        remove_checkpoint(self.folder / path)
        trained.save(self.folder / path)
        return path
