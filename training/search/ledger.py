"""An Optuna study that several processes work on: the trials to do, under way and done.

The process that trains a trial holds a file lock. The operating system releases the lock when the process ends, also
when it is killed. A trial that still says "running" while its lock is free was therefore killed, and the next process
trains it again. (Optuna's heartbeat does the same after a delay, and only inside study.optimize, which samples trials
of its own.)
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from training.errors import TrainingError
from training.search.result import Trial
from training.search.spec import Spec
from training.search.storage import search_id, storage_errors

optuna.logging.set_verbosity(optuna.logging.WARNING)

# User attributes of a trial: its specification and its result. A trial that was killed has no result.
SPEC, RESULT = "spec", "result"
# User attribute of a study: the id of its search's folder, where the checkpoints of its trials are.
SEARCH = "search"


@dataclass(frozen=True)
class Claim:
    """A trial that this process trains, and no other."""

    spec: Spec
    trial: optuna.Trial
    last_epoch: int

    def after_epoch(self, epoch: int, score: float) -> None:
        """Records a score. Raises optuna.TrialPruned if the pruner stops the trial before its last epoch."""
        with storage_errors():
            self.trial.report(score, epoch)
            if epoch < self.last_epoch and self.trial.should_prune():
                raise optuna.TrialPruned

    @property
    def epochs(self) -> dict[int, float]:
        """The scores recorded so far, by epoch."""
        return dict(self.trial.study.trials[self.trial.number].intermediate_values)


class Ledger:
    """One study. Its trials are compared with each other, so they have one role; students also have one teacher.

    epochs: the number of epochs that each trial trains, unless its spec says another.
    Raises TrainingError if the storage cannot be used, or holds a study of this name of another folder's search.
    """

    def __init__(
        self, folder: Path, storage: BaseStorage, name: str, epochs: int, pruner: optuna.pruners.BasePruner
    ) -> None:
        self.name, self.epochs, self.locks = name, epochs, folder / "locks"
        self.locks.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(self.locks / "studies")
        own_id = search_id(folder)
        with storage_errors(), self.lock:
            self.study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
            )
            if (found := self.study.user_attrs.get(SEARCH)) is None:
                self.study.set_user_attr(SEARCH, own_id)
            elif found != own_id:
                raise TrainingError(
                    f"the storage holds {name} of a search in another folder, where its checkpoints are: name that "
                    "folder as --output, or give another --storage, or a --task of another name."
                )

    @contextlib.contextmanager
    def claim(self, specs: Sequence[Spec]) -> Iterator[Claim | None]:
        """Claims, until the context ends, the first of `specs` that is neither done nor under way; else yields None."""
        with contextlib.ExitStack() as held:
            with storage_errors(), self.lock:
                self._end_killed()
                taken = {_spec(trial) for trial in self._trials(TrialState.RUNNING)} | set(self.done())
                spec = next((spec for spec in specs if spec not in taken), None)
                if spec is None:
                    claim = None
                else:
                    self.study.enqueue_trial(spec.params, user_attrs={SPEC: spec.params})
                    trial = self.study.ask()
                    # The suggestions are the enqueued values, for Optuna to show; the ranges only have to include them.
                    roles = ["teacher", "student", "full", "vanilla"]  # Optuna allows no others in an older study
                    trial.suggest_categorical("role", roles if spec.role in roles else [spec.role])
                    trial.suggest_int("layers", 1, 1000)
                    trial.suggest_float("learning_rate", 0.0, sys.float_info.max)
                    trial.suggest_int("seed", 0, 2**31)
                    held.enter_context(FileLock(self._lock_file(trial.number)))
                    claim = Claim(spec, trial, spec.total_epochs or self.epochs)
            yield claim

    def finish(self, claim: Claim, result: Trial) -> None:
        """Records the result of a trial, which is not repeated after that."""
        with storage_errors():
            claim.trial.set_user_attr(RESULT, result.model_dump(mode="json"))
            if result.state == "finished":
                self.study.tell(claim.trial, result.score)
            else:
                self.study.tell(claim.trial, state=TrialState.PRUNED if result.state == "pruned" else TrialState.FAIL)

    def done(self) -> dict[Spec, Trial]:
        """Returns the trials that have ended: finished, pruned or failed."""
        ended = self._trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return {
            _spec(trial): Trial.model_validate(trial.user_attrs[RESULT])
            for trial in ended
            if RESULT in trial.user_attrs
        }

    def add_seconds(self, what: str, seconds: float) -> None:
        """Adds to a cost that does not belong to a trial."""
        with storage_errors(), self.lock:
            self.study.set_user_attr(what, self.seconds(what) + seconds)

    def seconds(self, what: str) -> float:
        """Returns the sum of what add_seconds was given."""
        return float(self.study.user_attrs.get(what, 0.0))

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _end_killed(self) -> None:
        for trial in self._trials(TrialState.RUNNING, TrialState.WAITING):
            if trial.state is TrialState.WAITING:  # killed between enqueue_trial and ask
                self.study.ask()
            with contextlib.suppress(Timeout), FileLock(self._lock_file(trial.number), blocking=False):
                self.study.tell(trial.number, state=TrialState.FAIL)

    def _lock_file(self, number: int) -> Path:
        return self.locks / f"{self.name}-{number}"


def _spec(trial: FrozenTrial) -> Spec:
    return Spec(**trial.user_attrs[SPEC])
