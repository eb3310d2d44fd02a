"""Infers a task's kind from the fields of its rows."""

from collections.abc import Sequence

from training.data.rows import Row
from training.errors import TrainingError
from training.kinds import Kind


def infer_kind(pairs: Sequence[tuple[str, Row]]) -> Kind:
    """The kind of all rows. pairs: ("FILE, line N", row) for each row, at least one.

    Scores of text pairs may be written with or without a fraction (2.5, 3). Later rows that fit no kind are skipped:
    to_example raises an error that says what such a row lacks.
    Raises TrainingError if the first row fits no kind, or if two rows have different kinds, naming both.
    """
    first_of: dict[Kind, str] = {}
    whole: str | None = None  # the first text pair with an integer: it may be a class or a score
    for where, row in pairs:
        kind = _kind_of(row)
        if kind is Kind.PAIR_CLASSIFICATION and isinstance(row["label"], int):
            whole = whole or where
        elif kind is not None:
            first_of.setdefault(kind, where)
        elif not first_of and whole is None:
            raise TrainingError(
                f"{where}: a row needs `text` and `label`, or `tokens` and `tags`; this one has {sorted(row)}; "
                f"`fields` in task.json renames them."
            )
    if whole is not None and Kind.PAIR_REGRESSION not in first_of:
        first_of.setdefault(Kind.PAIR_CLASSIFICATION, whole)
    if len(first_of) > 1:
        (kind, where), (other, other_where) = list(first_of.items())[:2]
        raise TrainingError(
            f"{other_where}: this row reads as {other}, but {where} as {kind}: make the rows alike, "
            f"or name the kind with --kind or in task.json."
        )
    return next(iter(first_of))


def _kind_of(row: Row) -> Kind | None:
    if "tokens" in row and "tags" in row:
        return Kind.TAGGING
    if "tokens" in row and "intent" in row:
        return Kind.CLASSIFICATION
    if not ("text" in row or "tokens" in row) or "label" not in row:
        return None
    if isinstance(row["label"], list):
        return Kind.MULTI_LABEL
    if row.get("text_pair") is not None:
        return Kind.PAIR_REGRESSION if isinstance(row["label"], float) else Kind.PAIR_CLASSIFICATION
    return Kind.CLASSIFICATION
