"""A Triton request -> rows: what each of its texts asks for."""

from dataclasses import dataclass

import triton_python_backend_utils as pb_utils


class RefusedRequestError(ValueError):
    """A request that cannot be read; the sentence is for its caller."""


@dataclass(frozen=True)
class Row:
    """One text, and what is asked of it. pair: None where none was given."""

    text: str
    pair: str | None
    tasks: tuple[str, ...]
    all_scores: bool


def read_rows(request, registry):
    """The rows of a request.

    Raises RefusedRequestError for an empty text, invalid UTF-8, an empty list of tasks or an unknown task.
    """
    texts = _strings(request, "text")
    pairs = _strings(request, "pair") or [""] * len(texts)
    tasks = _strings(request, "tasks")
    flags = pb_utils.get_input_tensor_by_name(request, "all_scores")
    all_scores = [False] * len(texts) if flags is None else flags.as_numpy().reshape(-1).tolist()
    rows = []
    for number, text in enumerate(texts):
        if not text.strip():
            raise RefusedRequestError(f"text {number} is empty: give at least one word.")
        asked = tuple(registry.tasks) if tasks is None else _task_names(tasks[number], registry)
        rows.append(Row(text, pairs[number] or None, asked, all_scores[number]))
    return rows


def _task_names(value, registry):
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    known = ", ".join(sorted(registry.tasks))
    if not names:
        raise RefusedRequestError(f"the list of tasks is empty: name some of {known}, or leave `tasks` out for all.")
    for name in names:
        if name not in registry.tasks:
            raise RefusedRequestError(f"there is no task {name!r}; known tasks: {known}.")
    return names


def _strings(request, name):
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    strings = []
    for number, value in enumerate(tensor.as_numpy().reshape(-1)):
        try:
            strings.append(value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RefusedRequestError(f"{name} {number} is not valid UTF-8 at byte {error.start}.") from error
    return strings
