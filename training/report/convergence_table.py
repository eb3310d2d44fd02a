"""The table of what had converged."""

from collections.abc import Sequence

from training.report.collected_results import SearchedTask
from training.report.numbers import points
from training.report.plain_table import PlainTable
from training.search.convergence import convergence, still_rising


def convergence_table(tasks: Sequence[SearchedTask]) -> PlainTable:
    """Returns one row per task and way: the best score by epochs trained, the best epoch, the verdict."""
    rows = []
    for task in tasks:
        for one in convergence(task.result):
            runs = ", ".join(f"{points(score)} ({epochs})" for epochs, score in one.by_epochs.items())
            rows.append([task.name, one.name.rstrip(","), runs, one.verdict, str(one.best_epoch or "\N{EN DASH}")])
    return PlainTable(["task", "way", "best score (epochs)", "verdict", "best epoch of the longest run"], rows, texts=4)


def rising_sentences(tasks: Sequence[SearchedTask]) -> list[str]:
    """Returns one sentence for each way that had not ended learning, with its task."""
    return [f"{task.name}: {sentence}" for task in tasks for sentence in still_rising(task.result)]
