"""The section of the page on the errors of one task's chosen branch."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.kinds import Kind
from training.report.analysis.confusion import confusion_matrix, most_confused
from training.report.analysis.labels import label_errors
from training.report.analysis.predicted import Predicted
from training.report.analysis.spans import SpanErrors, span_errors, sum_of_span_errors
from training.report.collected_results import SearchedTask
from training.report.figures.confusion_matrix import draw_confusion_matrix
from training.report.figures.regression_scatter import draw_regression_scatter
from training.report.image import Image, image_of
from training.report.numbers import percent, points
from training.report.plain_table import PlainTable

MOST = 20  # classes in a matrix, lines in a table


@dataclass(frozen=True)
class ErrorSection:
    """sentences: how to read the image or table; there may be neither."""

    sentences: list[str]
    image: Image | None = None
    table: PlainTable | None = None


def make_error_section(task: SearchedTask, predicted: Predicted) -> ErrorSection:
    """Returns the errors in the form that fits the task's kind.

    Classification: a confusion matrix, or the most confused pairs if there are many classes. Tagging and multi-label: a
    table by type or label. Regression: a plot of predicted against true values.
    """
    rows, scored = len(predicted.golds), task.result.dev_rows + task.result.held_rows
    counted = f"On all {rows:,} dev rows of the data"
    counted += "." if rows == scored else f"; the search scored {scored:,} of them."
    maker = {Kind.PAIR_REGRESSION: _regression, Kind.TAGGING: _tagging, Kind.MULTI_LABEL: _multi_label}
    return maker.get(task.result.kind, _classification)(task, predicted, counted)


def _classification(task: SearchedTask, predicted: Predicted, counted: str) -> ErrorSection:
    labels = task.result.labels
    if len(labels) <= MOST:
        counts = confusion_matrix(predicted.golds, predicted.answers, labels)
        image = image_of(
            draw_confusion_matrix(counts, labels), f"task_{task.name}_confusion.png", f"confusion matrix of {task.name}"
        )
        reading = "Each row is a true class, each column an answer; answers off the diagonal are wrong. The shade is "
        return ErrorSection([counted, reading + "the share of the row."], image)
    pairs = most_confused(predicted.golds, predicted.answers, MOST)
    if not pairs:
        return ErrorSection([counted, "No row is wrong."])
    rows = [[pair.gold, pair.predicted, str(pair.rows), percent(pair.share)] for pair in pairs]
    table = PlainTable(["true class", "answer", "rows", "of the class"], rows, texts=2)
    return ErrorSection([counted, f"The most frequently confused pairs of its {len(labels)} classes."], table=table)


def _tagging(task: SearchedTask, predicted: Predicted, counted: str) -> ErrorSection:  # noqa: ARG001
    entries = span_errors(predicted.golds, predicted.answers)
    shown = [*entries[:MOST], sum_of_span_errors(entries)]
    headings = ["type", "spans", "precision", "recall", "F1", "missed", "wrong type", "wrong boundary", "spurious"]
    return ErrorSection(
        [
            counted,
            "Spurious: a span where the data has none. Wrong type: the right words with another type. Wrong boundary: "
            "a span that overlaps the true one.",
            *_cut(len(entries), "types"),
        ],
        table=PlainTable(headings, [_span_row(entry) for entry in shown]),
    )


def _span_row(entry: SpanErrors) -> list[str]:
    measures = [points(value) for value in (entry.precision, entry.recall, entry.f1)]
    counts = [str(count) for count in (entry.missed, entry.wrong_type, entry.wrong_boundary, entry.spurious)]
    return [entry.type, str(entry.gold), *measures, *counts]


def _multi_label(task: SearchedTask, predicted: Predicted, counted: str) -> ErrorSection:
    entries = label_errors(predicted.golds, predicted.answers, task.result.labels)
    rows = [
        [entry.label, str(entry.gold), str(entry.predicted)]
        + [points(value) for value in (entry.precision, entry.recall, entry.f1)]
        for entry in entries[:MOST]
    ]
    return ErrorSection(
        [
            counted,
            "For each label, the rows that have it (rows) and the rows that the branch gave it (answered).",
            *_cut(len(entries), "labels"),
        ],
        table=PlainTable(["label", "rows", "answered", "precision", "recall", "F1"], rows),
    )


def _regression(task: SearchedTask, predicted: Predicted, counted: str) -> ErrorSection:
    image = image_of(
        draw_regression_scatter(predicted.golds, predicted.answers),
        f"task_{task.name}_scatter.png",
        f"predicted against true values of {task.name}",
    )
    return ErrorSection([counted, "Each dot is a row; on the dashed line the answer is right."], image)


def _cut(count: int, what: str) -> Sequence[str]:
    return [f"The table has the {MOST} of its {count} {what} with the most errors."] if count > MOST else []
