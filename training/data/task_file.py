"""task.json: a task's settings, beside its rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from espalier_json import NotJsonError, parse_json
from training.data.rows import Row
from training.errors import TrainingError
from training.kinds import Kind
from training.validation import first_problem

TASK_FILE = "task.json"

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]  # as the labels of rows are read
RowField = Literal["text", "text_pair", "label", "tokens", "tags"]


class TaskFile(BaseModel):
    """The content of task.json; every field is optional.

    kind: the task's kind, instead of the one inferred from the rows.
    metric: the dev metric that picks the best epoch.
    labels: all labels in order, after `label_map`; for tagging the span types. None: those of train, sorted.
    label_map: old label (for tagging, span type) -> new one, or None to drop the row, the span, or the name in a
        multi-label row.
    columns (`fields` in the file): a field or column of the data -> our field, in place of any field of that name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Kind | None = None
    metric: Name | None = None
    labels: Annotated[list[Name], Field(min_length=1)] | None = None
    label_map: dict[Name, Name | None] = Field(default_factory=dict)
    columns: dict[str, RowField] = Field(default_factory=dict, alias="fields")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        twice = _first_repeated(list(self.columns.values()))
        if twice is not None:
            raise ValueError(f"`fields` gives two columns the name {twice!r}.")
        twice = _first_repeated(self.labels or [])
        if twice is not None:
            raise ValueError(f"`labels` names {twice!r} twice.")
        for name in self.labels or []:
            if name in self.label_map and name not in self.label_map.values():
                raise ValueError(
                    f"`labels` names {name!r}, which `label_map` turns into {self.label_map[name]!r}: "
                    f"`labels` holds the names after the map."
                )
        return self

    @property
    def redefines(self) -> bool:
        """True if this file may change the rows' labels."""
        return self.kind is not None or self.labels is not None or bool(self.label_map)

    def rename(self, row: Row) -> Row:
        """Returns the row with its fields renamed to ours."""
        if not self.columns:
            return row
        renamed: dict[str, Any] = {ours: row[own] for own, ours in self.columns.items() if own in row}
        return {**{field: row[field] for field in row if field not in self.columns and field not in renamed}, **renamed}

    def check_kind(self, kind: Kind, folder: Path) -> None:
        """Raises TrainingError if `labels` or `label_map` do not fit a task of that kind."""
        new = [name for name in self.label_map.values() if name is not None]
        names = [*(self.labels or []), *new]
        if kind is Kind.PAIR_REGRESSION and (names or self.label_map):
            raise TrainingError(
                f"{folder / TASK_FILE}: a task of kind {kind} has scores, no labels: remove `labels` and `label_map`."
            )
        for name in names if kind is Kind.TAGGING else []:
            if name == "O" or name.startswith(("B-", "I-")):
                raise TrainingError(
                    f"{folder / TASK_FILE}: {name!r} is a tag: for a task of kind {kind}, `labels` and `label_map` "
                    f"hold span types, without B- and I-, and null stands for no span."
                )

    def check_columns(self, rows: Sequence[Row], folder: Path) -> None:
        """Raises TrainingError if no row has a name in `fields`. rows: those of train and dev, as read."""
        for own in self.columns:
            if not any(own in row for row in rows):
                raise TrainingError(
                    f"{folder / TASK_FILE}: `fields` names {own!r}, which no row of train or dev has; "
                    f"the first row has {sorted(rows[0])}."
                )


def read_task_file(folder: Path) -> TaskFile:
    """Reads the folder's task.json; returns an empty TaskFile if there is none.

    Raises TrainingError, naming the field, if the content is invalid.
    """
    path = folder / TASK_FILE
    if not path.exists():
        return TaskFile()
    try:
        content = parse_json(path.read_bytes())
    except NotJsonError as error:
        raise TrainingError(f"{path}: {error}.") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: must be a JSON object, not {type(content).__name__}.")
    try:
        return TaskFile.model_validate(content)
    except ValidationError as error:
        raise TrainingError(f"{path}: {first_problem(error).removesuffix('.')}.") from error


def _first_repeated(names: Sequence[str]) -> str | None:
    return next((name for place, name in enumerate(names) if name in names[:place]), None)
