"""The table of what each search cost, in seconds and in full fine-tunings."""

from training.report.collected_results import CollectedResults
from training.report.numbers import MISSING, seconds
from training.report.plain_table import PlainTable

_HEADINGS = ["task", "hidden states", "teachers", "teacher logits", "students", "search", "full fine-tuning", "ratio"]


def make_cost_table(results: CollectedResults) -> PlainTable:
    """Returns one row per task: wall seconds, and the cost of the search in full fine-tunings."""
    rows = []
    for task in results.tasks:
        cost = task.result.cost
        parts = [cost.hidden_states, cost.teachers, cost.teacher_logits, cost.students, cost.search]
        ratio = MISSING if cost.ratio is None else f"{cost.ratio:.1f}"
        rows.append([task.name, *map(seconds, parts), seconds(cost.full_fine_tuning), ratio])
    return PlainTable(_HEADINGS, rows)
