"""The search for L and l of one task (paper, section 3). It can be resumed and shared by several processes."""

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import optuna
from filelock import FileLock

from training.adoption.adopt import Adopted
from training.atomic_write import replace_file
from training.checkpoint import load_checkpoint
from training.errors import TrainingError
from training.prepared_task import PreparedTask
from training.search.convergence import still_rising
from training.search.cost import cost_of
from training.search.ledger import Claim, Ledger
from training.search.pruner import BehindByNoise
from training.search.result import Role, SearchResult, Trial, write_result
from training.search.settings import Baseline, Grid, Settings, bind_settings
from training.search.spec import Spec
from training.search.stopwatch import Stopwatch
from training.search.storage import open_storage, sqlite_url
from training.search.trial_training import Teacher, TrialTraining
from training.search.way import Way
from training.stored_states import drop_states, store_states
from training.trainer_distillation import TeacherLogitsOnTrain, all_logits

Report = Callable[[str], None]


class Search:
    """One task's search in one folder. Several processes may call `run` at once, and again after any interruption."""

    def __init__(
        self,
        folder: Path,
        task: PreparedTask,
        settings: Settings,
        grid: Grid,
        storage: str | None,
        report: Report,
        adopted: Adopted | None = None,
    ) -> None:
        """adopted: the model of transformers that teachers and students learn from, if any.

        Raises TrainingError if the folder holds a search with other settings, or the storage cannot be used.
        """
        self.folder, self.task, self.settings, self.grid, self.report = folder, task, settings, grid, report
        self.cache = folder / "cache"
        self.cache_bytes = 0
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        bind_settings(folder, settings)
        self.storage = open_storage(storage or sqlite_url(folder / "trials.db"))
        self.training = TrialTraining(folder, task, settings, adopted)
        self.best: Spec | None = None  # the chosen teacher; None while teachers are left to train
        rates, seeds = grid.rates, len(grid.seeds)
        self.full = self._way("full", self.training.full, planned=len(rates("full")) * seeds)
        self.lora = self._way("lora", self.training.lora, planned=len(rates("lora")) * seeds)
        self.teachers = self._way(
            "teachers",
            self.training.teacher,
            planned=len(rates("teacher")) * seeds * len(grid.teacher_layers),
            prepare=lambda: self._store_states([self.task.encoder.layers - layers for layers in grid.teacher_layers]),
            prune=settings.prune,
        )
        self.students: Way | None = None  # known when the teacher is

    def run(self, cache_bytes: int) -> SearchResult:
        """Trains the missing trials, and returns the result that it also writes to result.json.

        cache_bytes: the most that the stored hidden states may take on disk. Raises TrainingError if all teachers fail.
        """
        self.cache_bytes = cache_bytes
        grid = self.grid
        full = self._baseline(self.full, "full", Baseline.FULL)
        lora = self._baseline(self.lora, "lora", Baseline.LORA)

        teachers = grid.specs("teacher", grid.teacher_layers)
        self.teachers.train_all(teachers, grid.rate_first)
        best = self._best_teacher()
        if grid.double_until is not None:
            self._double(self.teachers, [best])
            best = self._best_teacher()
        self.teachers.is_over, self.best = True, best

        self.students = students = self._students_of(best)
        self._write()
        layers = [number for number in grid.student_layers if number < best.layers]
        own = grid.specs("student", layers)
        students.train_all(own, grid.rate_first)
        others = self._of_other_taps(best, students)
        students.train_all(others)
        if grid.double_until is not None:
            for number in layers:
                self._double(students, [spec for spec in own if spec.layers == number])
        if Baseline.VANILLA in grid.baselines:
            vanilla = grid.specs("vanilla", layers)
            students.train_all(vanilla, grid.rate_first)
            for number in layers if grid.double_until is not None else []:
                self._double(students, [spec for spec in vanilla if spec.layers == number])
        students.is_over = True

        if grid.double_until is not None:  # rivals get at least the epochs of a teacher and its student together
            together = self._epochs_of_teacher_and_student(best)
            for way, specs in ((self.full, full), (self.lora, lora)):
                self._double(way, specs, at_least=together)
                way.is_over = True
        drop_states(self.task, self.cache)
        result = self._write()
        for sentence in still_rising(result):
            self.report(f"{self.task.name}: {sentence}")
        return result

    def _baseline(self, way: Way, role: Role, baseline: Baseline) -> list[Spec]:
        """Trains a baseline of all layers if it was asked for, and returns its trials."""
        specs = self.grid.specs(role, [self.task.encoder.layers]) if baseline in self.grid.baselines else []
        way.train_all(specs)
        way.is_over = not specs or self.grid.double_until is None
        return specs

    def _epochs_of_teacher_and_student(self, best: Spec) -> int:
        """Returns the most epochs that a served student has learnt: as its teacher and as itself."""
        assert self.students is not None
        given, students = self.settings.epochs, self.students.done()
        own = [spec.total_epochs or given for spec, trial in students.items() if trial.state == "finished"]
        return (best.total_epochs or given) + max(own, default=0)

    def _double(self, way: Way, specs: Sequence[Spec], at_least: int = 0) -> None:
        if not specs:
            return
        assert self.grid.double_until is not None
        sentence = way.double(specs, self.grid.double_until, self.grid.most_epochs, at_least)
        if sentence:
            self.report(f"{self.task.name}: {specs[0].role} {sentence}.")

    def _of_other_taps(self, best: Spec, students: Way) -> list[Spec]:
        """Returns the students at the other taps, with the learning rate of the best student at the teacher's own."""
        own_tap, encoder_layers = self.task.encoder.layers - best.layers, self.task.encoder.layers
        finished = {
            spec: trial.score or 0.0
            for spec, trial in students.done().items()
            if spec.role == "student" and trial.state == "finished" and spec.total_epochs is None
        }
        rate = max(finished, key=lambda spec: finished[spec]).learning_rate if finished else best.learning_rate
        return [
            Spec("student", layers, rate, seed, tap)
            for seed in self.grid.seeds
            for tap in sorted(set(self.grid.student_taps))
            for layers in sorted(set(self.grid.student_layers))
            if tap != own_tap and tap + layers <= encoder_layers
        ]

    def _way(
        self,
        name: str,
        train: Callable[[Claim], Trial],
        planned: int,
        prepare: Callable[[], None] = lambda: None,
        prune: bool = False,
    ) -> Way:
        longer = self._ledger(f"{name}-longer", prune=False)
        return Way(self._ledger(name, prune), longer, train, prepare, self._ended, self._waiting, planned)

    def _students_of(self, best: Spec) -> Way:
        """The students of the chosen teacher. The teacher and its logits are loaded when the first one trains."""
        loaded: list[Teacher] = []
        own_tap = self.task.encoder.layers - best.layers

        def prepare() -> None:
            self._store_states([own_tap, *self.grid.student_taps])
            if not loaded:
                loaded.append(self._load_teacher(best))

        def train(claim: Claim) -> Trial:
            return self.training.student(claim, loaded[0])

        layers = [number for number in self.grid.student_layers if number < best.layers]
        planned = len(self.grid.rates("student")) * len(self.grid.seeds) * len(layers)
        return self._way(f"students-of-{best.name}", train, planned, prepare)

    def _ledger(self, name: str, prune: bool) -> Ledger:
        settings = self.settings
        behind = BehindByNoise.for_rows(settings.dev_rows, settings.first_epoch)
        pruner = behind if prune else optuna.pruners.NopPruner()
        return Ledger(self.folder, self.storage, f"{self.task.name}-{name}", settings.epochs, pruner)

    def _best_teacher(self) -> Spec:
        """Returns the best teacher on dev, the smallest L among equals (paper, section 3.1; Grid.tolerance)."""
        done = self.teachers.done()
        finished = {spec: trial for spec, trial in done.items() if trial.state == "finished"}
        if not finished:
            reasons = [trial.message for trial in done.values() if trial.message]
            raise TrainingError(f"all teachers of {self.task.name} failed; the last one: {reasons[-1]}")
        scores = {spec: trial.score or 0.0 for spec, trial in finished.items()}
        equals = [spec for spec, score in scores.items() if score >= max(scores.values()) - self.grid.tolerance]
        return min(
            equals,
            key=lambda spec: (spec.layers, -scores[spec], spec.total_epochs or 0, spec.learning_rate, spec.seed),
        )

    def _store_states(self, taps: Sequence[int]) -> None:
        watch = Stopwatch()
        if store_states(self.task, sorted(set(taps)), self.cache, self.cache_bytes, self.report):
            self._add_cost("hidden_states", watch)

    def _add_cost(self, part: str, watch: Stopwatch) -> None:
        ledger = self.teachers.ledger
        ledger.add_seconds(part, watch.seconds)
        ledger.add_seconds(f"{part}_processor", watch.processor_seconds)

    def _load_teacher(self, spec: Spec) -> Teacher:
        """Loads the teacher and its logits, or those of the original that it learned from itself.

        The first process computes a teacher's logits, the others read them.
        """
        checkpoint = load_checkpoint(self.folder / f"checkpoints/{spec.name}")
        if self.training.original_logits is not None:
            return Teacher(checkpoint, self.training.original_logits)
        file = self.cache / f"{spec.name}_logits.npy"
        with FileLock(self.folder / "locks" / "logits"):
            if not file.exists():
                watch = Stopwatch()
                logits = all_logits(self.task, checkpoint.branch, checkpoint.record.tap)
                self._add_cost("teacher_logits", watch)
                content = io.BytesIO()
                np.save(content, logits)
                try:
                    file.parent.mkdir(exist_ok=True)
                    replace_file(file, content.getvalue(), staged_in=file.parent)
                except OSError:  # the disk is full: each process computes its own
                    return Teacher(checkpoint, TeacherLogitsOnTrain(self.task, logits))
        return Teacher(checkpoint, TeacherLogitsOnTrain(self.task, np.load(file, mmap_mode="r")))

    def _ended(self, spec: Spec, trial: Trial, done: int, of: int) -> None:
        if spec.role in ("full", "lora"):
            self._drop_worse_baselines(self.full if spec.role == "full" else self.lora, spec.seed)
        self._write()
        words = {"pruned": f"pruned after epoch {max(trial.epochs, default=0)}", "failed": f"failed: {trial.message}"}
        outcome = words.get(trial.state, f"{self.task.metric} {trial.score} in epoch {trial.best_epoch}")
        self.report(f"{self.task.name}: {spec.name} ({done} of {of}): {outcome}, {trial.seconds:.0f} s")

    def _waiting(self) -> None:
        self.report(f"{self.task.name}: waiting for trials in another process.")

    def _drop_worse_baselines(self, way: Way, seed: int) -> None:
        """Removes the weights of all but the best trial of a baseline and seed: they are as large as the encoder."""
        finished = [trial for spec, trial in way.done().items() if spec.seed == seed and trial.state == "finished"]
        # The first of equals, as SearchResult.best takes it.
        best = max(finished, key=lambda trial: trial.score or 0.0, default=None)
        for trial in finished:
            if trial is not best and trial.checkpoint is not None:
                shutil.rmtree(self.folder / trial.checkpoint, ignore_errors=True)

    def _write(self) -> SearchResult:
        """Writes result.json."""
        settings, ways = self.settings, [self.full, self.lora, self.teachers]
        ways += [self.students] if self.students else []
        done = {spec: trial for way in ways for spec, trial in way.done().items()}
        trials = [self._as_kept(trial) for trial in done.values()]
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
            held_rows=len(self.task.data.held),
            epochs=settings.epochs,
            to_do=sum(way.to_do for way in ways) + (0 if self.students else len(self.grid.student_layers)),
            teacher=list(done).index(self.best) if self.best else None,
            trials=trials,
            cost=cost_of(trials, self.teachers.ledger.seconds),
        )
        write_result(self.folder, result)
        return result

    def _as_kept(self, trial: Trial) -> Trial:
        """The trial, without the checkpoint of a baseline whose weights were dropped for better ones."""
        is_dropped = (
            trial.role in ("full", "lora")
            and trial.checkpoint is not None
            and not (self.folder / trial.checkpoint).is_dir()
        )
        return trial.model_copy(update={"checkpoint": None}) if is_dropped else trial
