"""The result of a search as text for the terminal."""

from training.bootstrap import standard_error
from training.search.convergence import still_rising
from training.search.result import SearchResult, Trial


def summary(result: SearchResult) -> str:
    """Returns one line per trial, the chosen teacher marked, and the cost."""
    lines = [f"{result.task}: {result.metric} on {result.dev_rows} dev rows, trained on {result.train_rows}"]
    teacher = result.trials[result.teacher] if result.teacher is not None else None
    for role, title in (
        ("full", "all layers"),
        ("lora", "LoRA"),
        ("teacher", "L ="),
        ("student", "l ="),
        ("vanilla", "vanilla l ="),
    ):
        for trial in sorted((one for one in result.trials if one.role == role), key=lambda one: one.layers):
            name = title if role in ("full", "lora") else f"{title} {trial.layers}"
            name += "" if trial.tap is None else f" tap {trial.tap}"
            epochs = "" if trial.total_epochs is None else f"  {trial.total_epochs} epochs"
            note = " <- the chosen teacher: the best, with the fewest layers among equals" if trial is teacher else ""
            how = f"lr {trial.learning_rate:g}{epochs}{note}"
            lines.append(f"  {name:14} {_scored(trial, result.metric):32} {trial.seconds:6.0f} s  {how}")
    cost = result.cost.fairest
    unit = f" = {cost.ratio:.2f} full fine-tunings of {cost.full_fine_tuning:.0f} s" if cost.ratio else ""
    of = " of processor time" if result.cost.processor else ""
    lines.append(f"  the search took {cost.search:.0f} s{of}{unit}")
    lines += [f"  {sentence}" for sentence in still_rising(result)]
    return "\n".join(lines)


def _scored(trial: Trial, metric: str) -> str:
    if trial.score is None:
        return trial.state
    held = f", held {trial.held_scores[metric]:.2f}" if trial.held_scores else ""
    error = f" ± {standard_error(trial.draws):.2f}" if trial.draws else ""
    return f"{trial.score:.2f}{held}{error} in epoch {trial.best_epoch}"
