"""One Triton request -> its rows: what each of its texts asks for."""

from typing import Any

import triton_python_backend_utils as pb_utils
from text_tokenizer import RefusedRequestError, check_not_empty, check_size, decode_texts, is_empty

from router.caller import Caller
from router.registry import Registry
from router.row import Row

_SHOWN = 100  # characters of an unknown task's name that a refusal repeats


def read_rows(request: Any, registry: Registry, caller: Caller) -> list[Row]:
    """Returns the rows of a request that `caller` sent.

    Raises RefusedRequestError if there is no text, a text is empty, too long or invalid UTF-8, all texts together are
    too long, a list of tasks is empty, or a task is not known. An empty pair counts as none: in a batch, only some
    texts may have one.
    """
    texts = _texts(request, "text") or []
    check_not_empty("text", texts)
    pairs = _texts(request, "pair") or [""] * len(texts)
    check_size(texts, pairs)
    tasks = _texts(request, "tasks")
    flags = pb_utils.get_input_tensor_by_name(request, "all_scores")
    all_scores = [False] * len(texts) if flags is None else flags.as_numpy().reshape(-1).tolist()
    return [
        Row(
            text=text,
            pair=None if is_empty(pairs[number]) else pairs[number],
            tasks=tuple(registry.tasks) if tasks is None else _task_names(tasks[number], registry),
            all_scores=all_scores[number],
            caller=caller,
        )
        for number, text in enumerate(texts)
    ]


def _task_names(value: str, registry: Registry) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    known = ", ".join(sorted(registry.tasks))
    if not names:
        raise RefusedRequestError(f"the list of tasks is empty: name some of {known}, or leave `tasks` out for all.")
    for name in names:
        if name in registry.retired:
            raise RefusedRequestError(f"the task {_shown(name)} was retired; known tasks: {known}.")
        if name not in registry.tasks:
            raise RefusedRequestError(f"there is no task {_shown(name)}; known tasks: {known}.")
    return names


def _shown(name: str) -> str:
    return repr(name[:_SHOWN])  # gRPC cannot send an error message of many kilobytes


def _texts(request: Any, name: str) -> list[str] | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else decode_texts(name, tensor.as_numpy())
