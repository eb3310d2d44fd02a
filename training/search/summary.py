"""The result of a search as text for the terminal."""

from training.search.result import SearchResult


def summary(result: SearchResult) -> str:
    """Returns one line per trial, the chosen teacher marked, and the cost."""
    lines = [f"{result.task}: {result.metric} on {result.dev_rows} dev rows, trained on {result.train_rows}"]
    teacher = result.trials[result.teacher] if result.teacher is not None else None
    for role, title in (("full", "all layers"), ("teacher", "L ="), ("student", "l ="), ("vanilla", "vanilla l =")):
        for trial in sorted((one for one in result.trials if one.role == role), key=lambda one: one.layers):
            name = title if role == "full" else f"{title} {trial.layers}"
            score = f"{trial.score:.2f} in epoch {trial.best_epoch}" if trial.score is not None else trial.state
            note = " <- the chosen teacher: the best, with the fewest layers among equals" if trial is teacher else ""
            lines.append(f"  {name:14} {score:20} {trial.seconds:6.0f} s  lr {trial.learning_rate:g}{note}")
    cost = result.cost
    unit = f" = {cost.ratio:.2f} full fine-tunings of {cost.full_fine_tuning:.0f} s" if cost.ratio else ""
    lines.append(f"  the search took {cost.search:.0f} s{unit}")
    return "\n".join(lines)
