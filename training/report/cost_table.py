"""The table of what each search cost, in seconds and in full fine-tunings."""

from training.report.collected_results import CollectedResults
from training.report.numbers import MISSING, seconds
from training.report.plain_table import PlainTable


def make_cost_table(results: CollectedResults) -> PlainTable:
    """Returns one row per task: processor seconds (of an earlier Espalier wall seconds), and full fine-tunings."""
    costs = [task.result.cost.fairest for task in results.tasks]
    optional = {
        "other taps": [cost.other_taps for cost in costs],
        "longer runs": [cost.longer_runs for cost in costs],
    }
    shown = {name: values for name, values in optional.items() if any(values)}
    rows = []
    for number, (task, cost) in enumerate(zip(results.tasks, costs, strict=True)):
        parts = [cost.hidden_states, cost.teachers, cost.teacher_logits, cost.students]
        parts += [*(values[number] for values in shown.values()), cost.search]
        ratio = MISSING if cost.ratio is None else f"{cost.ratio:.1f}"
        rows.append([task.name, *map(seconds, parts), seconds(cost.full_fine_tuning), ratio])
    headings = ["task", "hidden states", "teachers", "teacher logits", "students", *shown, "search"]
    return PlainTable([*headings, "full fine-tuning", "ratio"], rows)
