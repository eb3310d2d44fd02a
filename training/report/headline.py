"""The headline of the page: the score and overhead of the mixed selection."""

from collections.abc import Sequence

from training.report.collected_results import CollectedResults
from training.report.comparison_columns import Column
from training.report.numbers import percent, points


def make_headline(results: CollectedResults, chosen: Column, full: Column) -> list[str]:
    """Returns one sentence for the eight GLUE tasks, if all are there, and one for all tasks."""
    sentences = []
    if results.glue:
        sentences.append("The eight GLUE tasks: " + _sentence(results, chosen, full, results.glue))
    if not results.glue or len(results.names) > len(results.glue):
        count = len(results.names)
        sentences.append(
            (f"All {count} tasks: " if count > 1 else "The task: ") + _sentence(results, chosen, full, results.names)
        )
    return sentences


def _sentence(results: CollectedResults, chosen: Column, full: Column, tasks: Sequence[str]) -> str:
    both = [task for task in tasks if task in full.scores]
    compared = ""
    if len(both) == len(tasks):
        compared = f", {percent(chosen.share_of(full, tasks))} of full fine-tuning's {points(full.average(tasks))}"
    elif both:
        compared = (
            f" ({percent(chosen.share_of(full, tasks))} of full fine-tuning over the {len(both)} "
            f"{'task' if len(both) == 1 else 'tasks'} with both scores)"
        )
    layers, overhead = chosen.layers(tasks), chosen.overhead(tasks, results.encoder_layers)
    error = chosen.share_error(full, both) if len(both) == len(tasks) else None
    sure = "" if error is None else f" (\N{PLUS-MINUS SIGN}{100 * error:.1f}, one standard error)"
    return (
        f"{points(chosen.average(tasks))} points on average{compared}{sure}, with {layers} layers: an overhead of "
        f"{percent(overhead)}."
    )
