"""The search for L and l of one task (paper, section 3). It can be resumed and shared by several processes."""

import io
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import optuna
from filelock import FileLock

from training.atomic_write import replace_file
from training.checkpoint import load_checkpoint
from training.errors import TrainingError
from training.prepared_task import PreparedTask
from training.search.ledger import Claim, Ledger
from training.search.pruner import BehindByNoise
from training.search.result import Cost, SearchResult, Trial, write_result
from training.search.settings import Baseline, Grid, Settings, bind_settings
from training.search.spec import Spec
from training.search.storage import open_storage, sqlite_url
from training.search.trial_training import Teacher, TrialTraining
from training.stored_states import drop_states, store_states
from training.trainer_distillation import TeacherLogitsOnTrain, all_logits

WAIT = 1.0  # seconds between two checks of what other processes have finished

Report = Callable[[str], None]


class Search:
    """One task's search in one folder. Several processes may call `run` at once, and again after any interruption."""

    def __init__(
        self, folder: Path, task: PreparedTask, settings: Settings, grid: Grid, storage: str | None, report: Report
    ) -> None:
        """Raises TrainingError if the folder holds a search with other settings, or the storage cannot be used."""
        self.folder, self.task, self.settings, self.grid, self.report = folder, task, settings, grid, report
        self.cache = folder / "cache"
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        bind_settings(folder, settings)
        self.storage = open_storage(storage or sqlite_url(folder / "trials.db"))
        self.training = TrialTraining(folder, task, settings)
        self.teachers = self._ledger("teachers", settings.prune)
        self.full = self._ledger("full", prune=False)

    def run(self, cache_bytes: int) -> SearchResult:
        """Trains the missing trials, and returns the result that it also writes to result.json.

        cache_bytes: the most that the stored hidden states may take on disk. Raises TrainingError if all teachers fail.
        """
        if Baseline.FULL in self.grid.baselines:
            self._work(self.full, self.grid.specs("full", [self.task.encoder.layers]), self.training.full)
        teachers = self.grid.specs("teacher", self.grid.teacher_layers)
        if not set(teachers) <= self.teachers.done().keys():
            self._store_states(teachers, cache_bytes)
            self._work(self.teachers, teachers, self.training.teacher)
        best = self._best_teacher()
        students = self._ledger(f"students-of-{best.name}", prune=False)
        layers = [number for number in self.grid.student_layers if number < best.layers]
        specs = self.grid.specs("student", layers)
        if Baseline.VANILLA in self.grid.baselines:
            specs += self.grid.specs("vanilla", layers)
        if not set(specs) <= students.done().keys():
            self._store_states([best], cache_bytes)
            teacher = self._load_teacher(best)
            self._work(students, specs, lambda claim: self.training.student(claim, teacher), best)
        drop_states(self.task, self.cache)
        return self._write(best, students)

    def _ledger(self, name: str, prune: bool) -> Ledger:
        settings = self.settings
        behind = BehindByNoise.for_rows(settings.dev_rows, settings.first_epoch)
        pruner = behind if prune else optuna.pruners.NopPruner()
        return Ledger(self.folder, self.storage, f"{self.task.name}-{name}", settings.epochs, pruner)

    def _work(
        self, ledger: Ledger, specs: Sequence[Spec], train: Callable[[Claim], Trial], best: Spec | None = None
    ) -> None:
        """Trains until each spec is done, here or in another process. best: the teacher, if the trials are students."""
        has_reported = False
        while not set(specs) <= ledger.done().keys():
            with ledger.claim(specs) as claim:
                if claim is not None:
                    result = train(claim)
                    ledger.finish(claim, result)
                    self._write(best, ledger if best else None)
                    self._tell(result, claim.spec, len(specs), len(set(specs) & ledger.done().keys()))
                    continue
            if not has_reported:
                self.report(f"{self.task.name}: waiting for trials in another process.")
                has_reported = True
            time.sleep(WAIT)

    def _best_teacher(self) -> Spec:
        """Returns the best teacher on dev, the smallest L among equals (paper, section 3.1; Grid.tolerance)."""
        done = self.teachers.done()
        finished = {spec: trial for spec, trial in done.items() if trial.state == "finished"}
        if not finished:
            reasons = [trial.message for trial in done.values() if trial.message]
            raise TrainingError(f"all teachers of {self.task.name} failed; the last one: {reasons[-1]}")
        scores = {spec: trial.score or 0.0 for spec, trial in finished.items()}
        equals = [spec for spec, score in scores.items() if score >= max(scores.values()) - self.grid.tolerance]
        return min(equals, key=lambda spec: (spec.layers, -scores[spec], spec.learning_rate, spec.seed))

    def _store_states(self, specs: Sequence[Spec], budget: int) -> None:
        start = time.perf_counter()
        taps = sorted({self.task.encoder.layers - spec.layers for spec in specs})
        if store_states(self.task, taps, self.cache, budget, self.report):
            self.teachers.add_seconds("hidden_states", time.perf_counter() - start)

    def _load_teacher(self, spec: Spec) -> Teacher:
        """Loads the teacher and its logits. The first process computes the logits, the others read them."""
        checkpoint = load_checkpoint(self.folder / f"checkpoints/{spec.name}")
        file = self.cache / f"{spec.name}_logits.npy"
        with FileLock(self.folder / "locks" / "logits"):
            if not file.exists():
                start = time.perf_counter()
                logits = all_logits(self.task, checkpoint.branch, checkpoint.record.tap)
                self.teachers.add_seconds("teacher_logits", time.perf_counter() - start)
                content = io.BytesIO()
                np.save(content, logits)
                try:
                    file.parent.mkdir(exist_ok=True)
                    replace_file(file, content.getvalue(), staged_in=file.parent)
                except OSError:  # the disk is full: each process computes its own
                    return Teacher(checkpoint, TeacherLogitsOnTrain(self.task, logits))
        return Teacher(checkpoint, TeacherLogitsOnTrain(self.task, np.load(file, mmap_mode="r")))

    def _tell(self, trial: Trial, spec: Spec, of: int, done: int) -> None:
        words = {"pruned": f"pruned after epoch {max(trial.epochs, default=0)}", "failed": f"failed: {trial.message}"}
        outcome = words.get(trial.state, f"{self.task.metric} {trial.score} in epoch {trial.best_epoch}")
        self.report(f"{self.task.name}: {spec.name} ({done} of {of}): {outcome}, {trial.seconds:.0f} s")

    def _write(self, best: Spec | None, students: Ledger | None) -> SearchResult:
        """Writes result.json. best: the chosen teacher; None while teachers are left to train."""
        settings = self.settings
        full, teachers = self.full.done(), self.teachers.done()
        of_teacher = students.done() if students else {}
        trials = [*full.values(), *teachers.values(), *of_teacher.values()]
        full_seconds = [trial.seconds for trial in full.values() if trial.state == "finished"]
        result = SearchResult(
            task=settings.task,
            kind=settings.kind,
            metric=settings.metric,
            labels=list(self.task.data.labels),
            encoder=settings.encoder,
            encoder_layers=self.task.encoder.layers,
            data=settings.data,
            data_sha256=settings.data_sha256,
            train_rows=settings.train_rows,
            dev_rows=settings.dev_rows,
            teacher=trials.index(teachers[best]) if best else None,
            trials=trials,
            cost=Cost(
                hidden_states=self.teachers.seconds("hidden_states"),
                teachers=sum(trial.seconds for trial in teachers.values()),
                teacher_logits=self.teachers.seconds("teacher_logits"),
                students=sum(trial.seconds for trial in of_teacher.values() if trial.role == "student"),
                full_fine_tuning=statistics.mean(full_seconds) if full_seconds else None,
            ),
        )
        write_result(self.folder, result)
        return result
