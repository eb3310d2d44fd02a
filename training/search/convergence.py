"""Says which ways of training had not ended learning: a longer run that gains, or a best epoch at the end.

The learning rate decays to 0 by the last epoch, so every curve looks flat at its end. Only a longer run shows more.
"""

from dataclasses import dataclass
from typing import Literal

from training.search.result import Role, SearchResult, Trial

ENOUGH = 0.3  # points that twice the epochs may still gain

# converged: a longer run gained less than ENOUGH. rising: it gained more, or there is none and the best epoch is at or
# next to the last. not begun: a longer run gained nothing, but one answer for all rows scores the same. not shown: no
# longer run, and the best epoch is an earlier one.
Verdict = Literal["converged", "rising", "not begun", "not shown"]
_ORDER: tuple[Role, ...] = ("full", "lora", "teacher", "student", "vanilla")


@dataclass(frozen=True)
class Convergence:
    """One way of training a task. name: for readers. by_epochs: epochs trained -> the best score with so many."""

    name: str
    by_epochs: dict[int, float]
    best_epoch: int
    verdict: Verdict

    @property
    def needs_more(self) -> bool:
        """Whether it had not ended learning, or not begun."""
        return self.verdict in ("rising", "not begun")

    @property
    def sentence(self) -> str:
        """What is still rising, and what to do."""
        *_, most = self.by_epochs
        if self.verdict == "not begun":
            return (
                f"{self.name} scores {max(self.by_epochs.values()):.2f} with up to {most} epochs, as one answer for "
                "all texts does: use more epochs or another learning rate."
            )
        if len(self.by_epochs) > 1:
            runs = ", ".join(f"{score:.2f} with {epochs} epochs" for epochs, score in self.by_epochs.items())
            return f"{self.name} still rising ({runs}): use more epochs."
        return f"{self.name} still rising (its best epoch is {self.best_epoch} of {most}): use more epochs."


def convergence(result: SearchResult) -> list[Convergence]:
    """Returns what is known of each way: full fine-tuning, adapters, the chosen teacher, the students of each l."""
    groups: dict[tuple[Role, int], list[Trial]] = {}
    chosen = result.trials[result.teacher].layers if result.teacher is not None else None
    for role in _ORDER:
        for trial in result.finished(role):
            if role != "teacher" or trial.layers == chosen:
                groups.setdefault((role, trial.layers), []).append(trial)
    return [_of_group(result, role, layers, trials) for (role, layers), trials in groups.items()]


def still_rising(result: SearchResult) -> list[str]:
    """Returns a sentence for each way of training that had not ended learning."""
    return [one.sentence for one in convergence(result) if one.needs_more]


def has_begun(score: float, constant: float, until: float = ENOUGH) -> bool:
    """Whether the score is at least `until` points better than that of one answer for all rows."""
    return round(score - constant, 9) >= until


def epochs_of(trial: Trial, result: SearchResult) -> int:
    """Returns how many epochs the trial was to train."""
    return trial.total_epochs or result.epochs or max(trial.epochs, default=0)


def is_at_the_end(best_epoch: int, epochs: int) -> bool:
    """Whether the best epoch is the last or next to it."""
    return best_epoch >= max(epochs - 1, 1)


def _of_group(result: SearchResult, role: Role, layers: int, trials: list[Trial]) -> Convergence:
    best: dict[int, Trial] = {}
    for trial in trials:
        epochs = epochs_of(trial, result)
        if epochs not in best or (trial.score or 0.0) > (best[epochs].score or 0.0):
            best[epochs] = trial
    by_epochs = {epochs: best[epochs].score or 0.0 for epochs in sorted(best)}
    *shorter, most = by_epochs
    last = best[most]
    best_epoch = last.best_epoch or 0
    verdict: Verdict
    if shorter:
        gain = by_epochs[most] - max(by_epochs[epochs] for epochs in shorter)
        verdict = "converged" if round(gain, 9) < ENOUGH else "rising"
        constant = result.constant_score
        if verdict == "converged" and constant is not None and not has_begun(max(by_epochs.values()), constant):
            verdict = "not begun"
    else:
        verdict = "rising" if is_at_the_end(best_epoch, most) else "not shown"
    return Convergence(_name(role, layers), by_epochs, best_epoch, verdict)


def _name(role: Role, layers: int) -> str:
    if role in ("full", "lora"):
        return {"full": "full fine-tuning", "lora": "LoRA"}[role]
    start = {"teacher": "the teacher, L", "student": "the student, l", "vanilla": "the vanilla student, l"}[role]
    return f"{start} = {layers},"
