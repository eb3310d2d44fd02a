"""Which kind of task an original answers: its config says it, and the rows must agree."""

from collections.abc import Sequence

from training.adoption.original import Original
from training.data.rows import Row
from training.errors import TrainingError
from training.kinds import Kind

# `problem_type` of a config, which transformers writes when it fine-tunes.
_PROBLEMS = {
    "regression": (Kind.PAIR_REGRESSION,),
    "multi_label_classification": (Kind.MULTI_LABEL,),
    "single_label_classification": (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION),
}


def possible_kinds(original: Original) -> tuple[Kind, ...]:
    """The kinds that the original's head and config allow."""
    if original.tags_words:
        return (Kind.TAGGING,)
    problem = str(getattr(original.model.config, "problem_type", None))
    if original.outputs == 1:  # with one output, transformers trains a regression
        return _PROBLEMS["regression"]
    return _PROBLEMS.get(problem, (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION, Kind.MULTI_LABEL))


def kind_of(original: Original, rows: Sequence[Row], named: Kind | None, source: str) -> Kind:
    """The kind of the task. rows: those of train, at least one; named: what --kind or task.json says.

    Raises TrainingError if the original does not answer the named kind, or if the rows are of a kind that it does not.
    """
    possible = possible_kinds(original)
    kind = named or _kind_of_rows(possible, rows)
    if kind not in possible:
        what = f"{type(original.model).__name__}, {original.outputs} outputs"
        raise TrainingError(
            f"the model {original.name} ({what}) answers tasks of kind "
            f"{' or '.join(possible)}, not {kind}: name another --kind (or `kind` in task.json), or another model."
        )
    has_pairs = any(row.get("text_pair") for row in rows)
    if kind is Kind.PAIR_REGRESSION and not has_pairs:
        raise TrainingError(
            f"the model {original.name} answers one number, and the rows of {source} are single texts: Espalier has "
            "regression of pairs (`text`, `text_pair`) only."
        )
    is_tagged = any("tags" in row for row in rows)
    is_labelled = any("label" in row or "intent" in row for row in rows)
    if kind is Kind.TAGGING and is_labelled and not is_tagged:
        raise TrainingError(
            f"the model {original.name} tags words, and the rows of {source} have a label for a whole text: give rows "
            "of `tokens` and `tags`, or of `text` alone, or a sequence classifier."
        )
    if kind is not Kind.TAGGING and is_tagged and not is_labelled:
        raise TrainingError(
            f"the model {original.name} gives one answer for a whole text, and the rows of {source} have a tag for "
            "each word: give rows of `text` and `label`, or of `text` alone, or a token classifier."
        )
    return kind


def _kind_of_rows(possible: Sequence[Kind], rows: Sequence[Row]) -> Kind:
    if len(possible) == 1:
        return possible[0]
    if Kind.MULTI_LABEL in possible and any(isinstance(row.get("label"), list) for row in rows):
        return Kind.MULTI_LABEL
    return Kind.PAIR_CLASSIFICATION if any(row.get("text_pair") for row in rows) else Kind.CLASSIFICATION
