"""Scores an original on a file of labelled rows: what its team has today, to compare a branch with."""

from dataclasses import dataclass
from pathlib import Path

from training.adoption.answers import answer_of, answers
from training.adoption.original import Original
from training.adoption.original_kind import kind_of
from training.adoption.original_labels import output_names, task_labels
from training.bootstrap import resampled, standard_error
from training.data.label_map import apply_label_map
from training.data.labels import all_names
from training.data.rows import located_examples
from training.data.split import read_split
from training.data.task import read_examples
from training.data.task_file import read_task_file
from training.metrics import check_metric, score


@dataclass(frozen=True)
class OriginalScore:
    """What an original scores on some rows.

    scores: all metrics of the kind, in points. error: the standard error of the metric, in points.
    """

    metric: str
    rows: int
    scores: dict[str, float]
    error: float


def score_original(original: Original, file: Path) -> OriginalScore:
    """Scores the original on a .jsonl, .csv or .tsv file. The kind is that of task.json, or of config and rows.

    Raises TrainingError if the original does not answer such rows, or if they have labels that it does not have.
    """
    task_file = read_task_file(file.parent)
    rows = read_split(file).renamed(task_file)
    kind = kind_of(original, [row for _, row in rows.pairs], task_file.kind, str(file))
    located = apply_label_map(located_examples(rows.rows(kind), kind), kind, task_file.label_map)
    given = all_names((example for _, example in located), kind)
    names = output_names(original, kind, task_file.labels, given)
    labels = task_labels(original, kind, names)
    examples = read_examples(file, kind, labels)
    predictions = [answer_of(row, kind, labels) for row in answers(original, examples, kind, names, labels)]
    metric, golds = task_file.metric or kind.default_metric, [example.label for example in examples]
    check_metric(metric, kind, labels)
    draws = resampled(kind, labels, metric, predictions, golds)
    return OriginalScore(metric, len(examples), score(kind, labels, predictions, golds), standard_error(draws))
