"""The search for L and l of one task (paper, section 3). It can be resumed and shared by several processes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import optuna

from training.adoption.adopt import Adopted
from training.baselines.lora import check_peft
from training.checkpoint import load_checkpoint
from training.prepared_task import PreparedTask
from training.search.baseline_weights import ROLES as BASELINE_ROLES
from training.search.baseline_weights import as_kept, drop_worse_weights
from training.search.best_teacher import best_teacher
from training.search.convergence import still_rising
from training.search.cost import cost_of
from training.search.ledger import Claim, Ledger
from training.search.pruner import BehindByNoise
from training.search.result import Role, SearchResult, Trial, write_result
from training.search.settings import Baseline, Grid, Settings, bind_settings
from training.search.spec import Spec
from training.search.stopwatch import Stopwatch
from training.search.storage import open_storage, sqlite_url
from training.search.teacher import Teacher, load_teacher
from training.search.trial_training import TrialTraining
from training.search.way import Way
from training.stored_states import drop_states, store_states

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
        self.constant_score = task.constant_score
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

        cache_bytes: the most that the stored hidden states may take on disk.
        Raises TrainingError if all teachers fail, or if PEFT is missing and adapters are left to train.
        """
        self.cache_bytes = cache_bytes
        full, lora = self._specs_of("full", Baseline.FULL), self._specs_of("lora", Baseline.LORA)
        if set(lora) - self.lora.done().keys():
            check_peft()  # now, and not after hours of full fine-tuning
        self._train_baseline(self.full, full)
        self._train_baseline(self.lora, lora)
        best = self.best = self._train_teachers()
        students = self.students = self._students_of(best)
        self._write()
        self._train_students(students, best)
        if self.grid.double_until is not None:
            together = self._epochs_of_teacher_and_student(best, students)
            self._lengthen_baseline(self.full, full, together)
            self._lengthen_baseline(self.lora, lora, together)
        drop_states(self.task, self.cache)
        result = self._write()
        for sentence in still_rising(result):
            self.report(f"{self.task.name}: {sentence}")
        return result

    def _specs_of(self, role: Role, baseline: Baseline) -> list[Spec]:
        """Returns the trials of a baseline of all layers; none if it was not asked for."""
        return self.grid.specs(role, [self.task.encoder.layers]) if baseline in self.grid.baselines else []

    def _train_baseline(self, way: Way, specs: list[Spec]) -> None:
        way.train_all(specs)
        way.is_over = not specs or self.grid.double_until is None

    def _lengthen_baseline(self, way: Way, specs: list[Spec], epochs: int) -> None:
        """Doubles its epochs until it has had at least so many: those of a teacher and its student together."""
        self._double(way, specs, self.grid.most_epochs, at_least=epochs)
        way.is_over = True

    def _train_teachers(self) -> Spec:
        """Trains the teachers, and returns the best."""
        way, grid = self.teachers, self.grid
        way.train_all(grid.specs("teacher", grid.teacher_layers), grid.rate_first)
        best = best_teacher(self.task.name, way.done(), grid.tolerance)
        if grid.double_until is not None:
            # A student is to get its share of the epochs.
            self._double(way, [best], grid.most_epochs - self.settings.epochs)
            best = best_teacher(self.task.name, way.done(), grid.tolerance)
        way.is_over = True
        return best

    def _train_students(self, way: Way, best: Spec) -> None:
        """Trains the students of the best teacher: at its own tap, at others, and those that start without it."""
        grid = self.grid
        layers = [number for number in grid.student_layers if number < best.layers]
        own = grid.specs("student", layers)
        way.train_all(own, grid.rate_first)
        others = self._specs_of_other_taps(best, way)
        way.train_all(others)
        most = grid.most_epochs - (best.total_epochs or self.settings.epochs)
        self._double_each(way, own, most)
        self._double_each(way, others, most)
        if Baseline.VANILLA in grid.baselines:
            vanilla = grid.specs("vanilla", layers)
            way.train_all(vanilla, grid.rate_first)
            self._double_each(way, vanilla, most)
        way.is_over = True

    def _specs_of_other_taps(self, best: Spec, students: Way) -> list[Spec]:
        """Returns the students at the other taps, with the learning rate of the best student at the teacher's own."""
        own_tap, encoder_layers = self.task.encoder.layers - best.layers, self.task.encoder.layers
        finished = {
            spec: trial.score or 0.0
            for spec, trial in students.done().items()
            if (spec.role, spec.tap, spec.total_epochs, trial.state) == ("student", None, None, "finished")
        }
        rate = max(finished, key=lambda spec: finished[spec]).learning_rate if finished else best.learning_rate
        return [
            Spec("student", layers, rate, seed, tap)
            for seed in self.grid.seeds
            for tap in sorted(set(self.grid.student_taps))
            for layers in sorted(set(self.grid.student_layers))
            if tap != own_tap and tap + layers <= encoder_layers
        ]

    def _epochs_of_teacher_and_student(self, best: Spec, students: Way) -> int:
        """Returns the most epochs that a student has learnt: as its teacher and as itself."""
        given = self.settings.epochs
        own = [spec.total_epochs or given for spec, trial in students.done().items() if trial.state == "finished"]
        return (best.total_epochs or given) + max(own, default=0)

    def _double_each(self, way: Way, specs: Sequence[Spec], most: int) -> None:
        """Doubles the epochs of the best of each number of layers, if longer runs were asked for."""
        for layers in sorted({spec.layers for spec in specs}) if self.grid.double_until is not None else []:
            self._double(way, [spec for spec in specs if spec.layers == layers], most)

    def _double(self, way: Way, specs: Sequence[Spec], most: int, at_least: int = 0) -> None:
        """Doubles the epochs of the best of `specs`; see Way.double."""
        assert self.grid.double_until is not None
        sentence = way.double(specs, self.grid.double_until, most, at_least, self.constant_score)
        if sentence:
            self.report(f"{self.task.name}: {specs[0].role} {sentence}.")

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
                loaded.append(self._load_teacher(best.name))

        def train(claim: Claim) -> Trial:
            return self.training.student(claim, loaded[0])

        layers = [number for number in self.grid.student_layers if number < best.layers]
        planned = len(self.grid.rates("student")) * len(self.grid.seeds) * len(layers)
        return self._way(f"students-of-{best.name}", train, planned, prepare)

    def _load_teacher(self, name: str) -> Teacher:
        """Loads a teacher with its logits, or with those of the original that it learned from itself."""
        if self.training.original_logits is not None:
            return Teacher(load_checkpoint(self.folder / "checkpoints" / name), self.training.original_logits)
        return load_teacher(self.task, self.folder, name, lambda watch: self._add_cost("teacher_logits", watch))

    def _ledger(self, name: str, prune: bool) -> Ledger:
        settings = self.settings
        behind = BehindByNoise.for_rows(settings.dev_rows, settings.first_epoch)
        pruner = behind if prune else optuna.pruners.NopPruner()
        return Ledger(self.folder, self.storage, f"{self.task.name}-{name}", settings.epochs, pruner)

    def _store_states(self, taps: Sequence[int]) -> None:
        watch = Stopwatch()
        if store_states(self.task, sorted(set(taps)), self.cache, self.cache_bytes, self.report):
            self._add_cost("hidden_states", watch)

    def _add_cost(self, part: str, watch: Stopwatch) -> None:
        ledger = self.teachers.ledger
        ledger.add_seconds(part, watch.seconds)
        ledger.add_seconds(f"{part}_processor", watch.processor_seconds)

    def _ended(self, spec: Spec, trial: Trial, done: int, of: int) -> None:
        if spec.role in BASELINE_ROLES:
            way = self.full if spec.role == "full" else self.lora
            drop_worse_weights(self.folder, [one for other, one in way.done().items() if other.seed == spec.seed])
        self._write()
        words = {"pruned": f"pruned after epoch {max(trial.epochs, default=0)}", "failed": f"failed: {trial.message}"}
        outcome = words.get(trial.state, f"{self.task.metric} {trial.score} in epoch {trial.best_epoch}")
        self.report(f"{self.task.name}: {spec.name} ({done} of {of}): {outcome}, {trial.seconds:.0f} s")

    def _waiting(self) -> None:
        self.report(f"{self.task.name}: waiting for trials in another process.")

    def _write(self) -> SearchResult:
        """Writes result.json."""
        settings, ways = self.settings, [self.full, self.lora, self.teachers]
        ways += [self.students] if self.students else []
        done = {spec: trial for way in ways for spec, trial in way.done().items()}
        trials = [as_kept(self.folder, trial) for trial in done.values()]
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
            constant_score=self.constant_score,
            epochs=settings.epochs,
            to_do=sum(way.to_do for way in ways) + (0 if self.students else len(self.grid.student_layers)),
            teacher=list(done).index(self.best) if self.best else None,
            trials=trials,
            cost=cost_of(trials, self.teachers.ledger.seconds),
        )
        write_result(self.folder, result)
        return result
