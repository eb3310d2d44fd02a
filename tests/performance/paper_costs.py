"""What the searches of the paper's tasks cost, and what their few L lose against every L, as tables in Markdown."""

import statistics
from pathlib import Path

from training.search.result import SearchResult, Trial, read_result


def print_costs(results: dict[str, SearchResult], exhaustive: Path) -> None:
    """Prints each search's cost in full fine-tunings of its first number of epochs, in processor seconds.

    exhaustive: the folder of the searches that trained the L that these left out or stopped. Beside a search stands
    what it would have cost with every L, the best L then, and by how much that is better than the chosen one: on the
    rows that choose, and on those that chose nothing.
    """
    headings = ["task", "first runs", "other taps", "longer runs", "chosen L"]
    headings += ["every L: cost", "best L", "better by", "held"]
    print(f"| {' | '.join(headings)} |\n| --- |" + " ---: |" * (len(headings) - 1))
    for task, result in results.items():
        cost, unit = result.cost.fairest, _full_seconds(result)
        first = cost.search - cost.other_taps - cost.longer_runs
        chosen = _best(_teachers(result))
        row = [task, *(_ratio(part, unit) for part in (first, cost.other_taps, cost.longer_runs)), str(chosen.layers)]
        every = _with_every_layer(result, chosen, exhaustive / task)
        if every:
            best = _best(every)
            whole = first - cost.teachers + sum(_seconds(trial) for trial in every.values())
            row += [_ratio(whole, unit), str(best.layers), _difference(best.score, every[chosen.layers].score)]
            held = (trial.held_scores.get(result.metric) for trial in (best, every[chosen.layers]))
            row.append(_difference(*held))
        else:
            row += ["not measured", "", "", ""]
        print("| " + " | ".join(row) + " |")
    print()


def _full_seconds(result: SearchResult) -> float | None:
    seconds = [_seconds(trial) for trial in result.finished("full") if trial.total_epochs is None]
    return statistics.fmean(seconds) if seconds else None


def _teachers(result: SearchResult) -> dict[int, Trial]:
    """Returns L -> the best teacher with the search's first number of epochs."""
    best: dict[int, Trial] = {}
    for trial in result.finished("teacher"):
        known = best.get(trial.layers)
        if trial.total_epochs is None and (known is None or (trial.score or 0.0) > (known.score or 0.0)):
            best[trial.layers] = trial
    return best


def _with_every_layer(result: SearchResult, chosen: Trial, folder: Path) -> dict[int, Trial]:
    """Returns L -> the teacher at the chosen one's rate, of both searches.

    folder: the other one's. Empty if that is not finished, or was run at another rate.
    """
    if not (folder / "result.json").is_file():
        return {}
    other = read_result(folder)
    ours, theirs = (
        {
            trial.layers: trial
            for trial in search.finished("teacher")
            if trial.total_epochs is None and trial.learning_rate == chosen.learning_rate
        }
        for search in (result, other)
    )
    return theirs | ours if other.to_do == 0 and theirs else {}


def _best(teachers: dict[int, Trial]) -> Trial:
    """The best score, of equals the fewest layers: as a search chooses."""
    return max(teachers.values(), key=lambda trial: (trial.score or 0.0, -trial.layers))


def _seconds(trial: Trial) -> float:
    return trial.processor_seconds if trial.processor_seconds is not None else trial.seconds


def _ratio(seconds: float, unit: float | None) -> str:
    return f"{seconds / unit:.2f}" if unit else "not measured"


def _difference(one: float | None, other: float | None) -> str:
    return "" if one is None or other is None else f"{one - other:.1f}"
