"""One way of training in a search, such as "teachers": which of its trials to train next, and when enough is enough."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from training.search.convergence import has_begun
from training.search.ledger import Claim, Ledger
from training.search.result import Trial
from training.search.spec import Spec

WAIT = 1.0  # seconds between two checks of what other processes have finished

# Told after each trial: its spec, its outcome, how many of how many of these trials have ended.
Ended = Callable[[Spec, Trial, int, int], None]


class Way:
    """Trains the trials of one role, or of students and vanilla students of one teacher, which share a ledger.

    ledger: of the trials with the search's epochs. longer: of those with more, which are never pruned.
    train: trains one claimed trial. prepare: called before a call trains anything; may do nothing the second time.
    planned: how many trials are expected, before they are known one by one.
    """

    def __init__(
        self,
        ledger: Ledger,
        longer: Ledger,
        train: Callable[[Claim], Trial],
        prepare: Callable[[], None],
        ended: Ended,
        wait: Callable[[], None],
        planned: int,
    ) -> None:
        self.ledger, self.longer = ledger, longer
        self.train, self.prepare, self.ended, self.wait = train, prepare, ended, wait
        self.planned, self.asked, self.is_over = planned, set[Spec](), False

    def done(self) -> dict[Spec, Trial]:
        """Returns all trials that have ended."""
        return self.ledger.done() | self.longer.done()

    @property
    def to_do(self) -> int:
        """How many trials are left, as far as is known."""
        if self.is_over:
            return 0
        left = len(self.asked - self.done().keys())
        return left if self.asked and left else (1 if self.asked else self.planned)

    def train_all(self, specs: Sequence[Spec], rate_first: bool = False) -> None:
        """Trains until each spec has ended, here or in another process.

        rate_first: each learning rate is tried with the middle number of layers, and the others train at the best.
        """
        layers = sorted({spec.layers for spec in specs})
        if rate_first and len({spec.learning_rate for spec in specs}) > 1 and len(layers) > 1:
            middle = layers[len(layers) // 2]
            tried = [spec for spec in specs if spec.layers == middle]
            self._train_all(self.ledger, tried)
            done = self.ledger.done()
            best = max(tried, key=lambda spec: (_score(done[spec]), -spec.learning_rate))
            specs = [
                *tried,
                *(spec for spec in specs if spec not in tried and spec.learning_rate == best.learning_rate),
            ]
        self._train_all(self.ledger, specs)

    def double(
        self, specs: Sequence[Spec], until: float, most: int, at_least: int = 0, constant: float = float("-inf")
    ) -> str:
        """Trains the best of `specs` again with twice the epochs, and so on until that gains less than `until` points.

        At first each of its learning rates trains twice the epochs, and the best of these goes on: a high rate that
        leads after few epochs may never come to the end of a long run.
        most: no run trains more epochs. at_least: go on until a run has trained so many, also where nothing is gained.
        constant: what one answer for all rows scores; runs that gain nothing over it have not begun to learn.
        Returns a sentence if the runs still gained when `most` ended them, else "".
        """
        best = self._best_rate(specs, most)
        if best is None:  # all were pruned or failed
            return ""
        while True:
            scores = self._scores_by_epochs(best)
            longest = max(scores)
            shorter = [score for epochs, score in scores.items() if epochs < longest]
            is_flat = bool(shorter) and round(scores[longest] - max(shorter), 9) < until
            is_converged = is_flat and has_begun(max(scores.values()), constant, until)
            if is_converged and longest >= at_least:
                return ""
            if 2 * longest > most and longest < at_least:
                return (
                    f"trained {longest} epochs, fewer than the {at_least} of teacher and student: raise --most-epochs"
                )
            if 2 * longest > most:
                return (
                    "" if is_converged else f"not converged with {longest} epochs, the most that --most-epochs allows"
                )
            epochs = 2 * longest
            while is_converged and epochs < at_least and 2 * epochs <= most:
                epochs *= 2  # what lies between would show nothing new
            longer = replace(best, total_epochs=epochs)
            self._train_all(self.longer, [longer])
            state = self.done()[longer].state
            if state != "finished":
                return f"not converged: {longer.name} {state}"

    def _best_rate(self, specs: Sequence[Spec], most: int) -> Spec | None:
        """Returns the best of `specs` at the learning rate that is best with twice the epochs; None if none finished.

        most: see `double`. If it allows no longer run, the rate is the best one of the short runs.
        """
        done = self.done()
        short = dict.fromkeys(replace(spec, total_epochs=None) for spec in specs)
        finished = [spec for spec in short if spec in done and done[spec].state == "finished"]
        if not finished:
            return None
        best = max(finished, key=lambda spec: (_score(done[spec]), -spec.learning_rate))
        rates = [spec for spec in finished if replace(spec, learning_rate=best.learning_rate) == best]
        epochs = 2 * self.ledger.epochs
        if len(rates) == 1 or epochs > most:
            return best
        twice = {spec: replace(spec, total_epochs=epochs) for spec in rates}
        self._train_all(self.longer, list(twice.values()))
        done = self.done()
        return max(rates, key=lambda spec: (_score(done[twice[spec]]), -spec.learning_rate))

    def _scores_by_epochs(self, spec: Spec) -> dict[int, float]:
        """Returns epochs -> score of the finished runs of the same training with its own and with more epochs."""
        return {
            done.total_epochs or self.ledger.epochs: _score(trial)
            for done, trial in self.done().items()
            if replace(done, total_epochs=None) == spec and trial.state == "finished"
        }

    def _train_all(self, ledger: Ledger, specs: Sequence[Spec]) -> None:
        self.asked |= set(specs)
        is_waiting = is_prepared = False
        while not set(specs) <= ledger.done().keys():
            if not is_prepared:
                self.prepare()
                is_prepared = True
            with ledger.claim(specs) as claim:
                if claim is not None:
                    result = self.train(claim)
                    ledger.finish(claim, result)
                    self.ended(claim.spec, result, len(set(specs) & ledger.done().keys()), len(specs))
                    continue
            if not is_waiting:
                self.wait()
                is_waiting = True
            time.sleep(WAIT)


def _score(trial: Trial) -> float:
    return trial.score if trial.score is not None else float("-inf")
