"""What had converged: a table with a row per task, and a sentence per way of training for the summary."""

from collections.abc import Sequence

from training.report.collected_results import SearchedTask
from training.report.numbers import MISSING, points
from training.report.plain_table import PlainTable
from training.search.convergence import Convergence, convergence

# The heading of a way's column, and how its names begin.
_WAYS = (
    ("full fine-tuning", "full fine-tuning"),
    ("LoRA", "LoRA"),
    ("chosen teacher", "the teacher"),
    ("students", "the student"),
    ("vanilla students", "the vanilla student"),
)


def convergence_table(tasks: Sequence[SearchedTask]) -> PlainTable:
    """Returns for each task and way the best score by epochs trained, and the verdict; of students each l in turn."""
    found = {task.name: convergence(task.result) for task in tasks}
    ways = [way for way in _WAYS if any(_of(way[1], of_task) for of_task in found.values())]
    rows = [
        [name, *("; ".join(map(_cell, _of(start, of_task))) or MISSING for _, start in ways)]
        for name, of_task in found.items()
    ]
    return PlainTable(["task", *(heading for heading, _ in ways)], rows, texts=1 + len(ways))


def rising_sentences(tasks: Sequence[SearchedTask]) -> list[str]:
    """Returns a sentence for each way that had not ended learning, with its tasks."""
    sentences = []
    for heading, start in _WAYS:
        rising = [task.name for task in tasks if any(one.needs_more for one in _of(start, convergence(task.result)))]
        if rising:
            sentences.append(f"{heading} of {', '.join(rising)}: use more epochs (search --double-until 0.3).")
    return sentences


def _of(start: str, ways: Sequence[Convergence]) -> list[Convergence]:
    return [one for one in ways if one.name.startswith(start)]


def _cell(way: Convergence) -> str:
    """Returns '71.9 (5), 84.4 (10): rising', with the epochs in brackets."""
    runs = ", ".join(f"{points(score)} ({epochs})" for epochs, score in way.by_epochs.items())
    return f"{runs}: {way.verdict}"
