"""Reads data sets of the Hugging Face hub with the `datasets` library."""

from collections.abc import Collection, Iterator

import datasets

from training.data.rows import Row
from training.errors import TrainingError, one_line
from training.kinds import Kind

# Our fields and the column names that well-known data sets use for them; the first one in a data set is used.
COLUMNS = {
    "text": ("text", "question", "sentence1", "question1", "premise", "sentence", "utterance", "content"),
    "text_pair": ("text_pair", "sentence2", "question2", "hypothesis", "context", "sentence"),
    "label": ("label", "labels", "intent", "category"),
    "tokens": ("tokens", "words"),
    "tags": ("tags", "ner_tags", "slots", "labels"),
}
DEV_SPLITS = ("dev", "validation", "validation_matched")  # never test: dev picks the best epoch


def read_hub(name: str, kind: Kind | None = None) -> dict[str, Iterator[tuple[str, Row]]]:
    """The train and dev rows of a data set: `NAME` or `NAME:CONFIGURATION`, as `datasets.load_dataset` takes them.

    NAME may also be a local folder of data files that the `datasets` library understands. Class numbers become class
    names. kind: decides which columns are read, if it is given: a task that reads one text has no `text_pair`, whatever
    columns there are. Raises TrainingError if the data set cannot be loaded or lacks a train or dev split.
    """
    path, _, configuration = name.partition(":")
    try:
        splits = datasets.load_dataset(path, configuration or None)
    except Exception as error:  # the library raises many types for "missing" and "not reachable"
        raise TrainingError(
            f"the data set {name!r} could not be loaded ({one_line(error)}): check its name, and that the hub can be "
            "reached."
        ) from error
    dev = next((split for split in DEV_SPLITS if split in splits), None)
    if "train" not in splits or dev is None:
        raise TrainingError(
            f"the data set {name!r} needs a train and a dev split; it has {sorted(splits)}: write its rows to a folder "
            "as train.jsonl and dev.jsonl."
        )
    return {"train": _rows(splits["train"], f"{name} train", kind), "dev": _rows(splits[dev], f"{name} {dev}", kind)}


def _rows(split: datasets.Dataset, name: str, kind: Kind | None) -> Iterator[tuple[str, Row]]:
    columns: dict[str, str] = {}
    for field in _wanted(split.column_names, kind):
        free = [column for column in split.column_names if column not in columns.values()]
        column = next((one for one in COLUMNS[field] if one in free), None)
        if column is not None:
            columns[field] = column
    names = {field: _class_names(split.features[column]) for field, column in columns.items()}
    for number, row in enumerate(split, start=1):
        where = f"{name}, row {number}"
        try:
            named = {field: names[field](row[column]) for field, column in columns.items()}
        except ValueError as error:  # from ClassLabel, for -1 or null: the row has no label
            raise TrainingError(
                f"{where}: a class number has no name ({one_line(error)}): write the rows that have a label to a "
                "folder of JSONL files."
            ) from error
        yield where, named


def _wanted(columns: Collection[str], kind: Kind | None) -> tuple[str, ...]:
    """Returns our fields that a task of this kind (None: not known) reads from these columns."""
    has_tokens = any(column in columns for column in COLUMNS["tokens"])
    if kind is Kind.TAGGING or (kind is None and has_tokens):
        return ("tokens", "tags")
    if kind is None or kind.is_pair:
        return ("text", "text_pair", "label")
    has_text = any(column in columns for column in COLUMNS["text"])
    return ("tokens", "label") if has_tokens and not has_text else ("text", "label")


def _class_names(feature: object):  # type: ignore[no-untyped-def]
    """Returns a function that turns a column's class numbers into names and leaves other values unchanged."""
    inner = getattr(feature, "feature", feature)
    if not isinstance(inner, datasets.ClassLabel):
        return lambda value: value
    return lambda value: [inner.int2str(one) for one in value] if isinstance(value, list) else inner.int2str(value)
