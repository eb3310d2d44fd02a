import numpy as np
import pytest
from router.registry import Registry, Task, Version

CALLER = object()
REGISTRY = Registry(
    {
        task: Task(Version(task, 1, "classification", ("a", "b"), 2, 16, f"branch_{task}", "trunk"))
        for task in ("slots", "intent", "emotion")
    },
    retired=frozenset({"weather"}),
)


def _texts(*values):
    """A BYTES tensor [B, 1], as Triton's stub hands it over."""
    values = [value.encode() if isinstance(value, str) else value for value in values]
    return np.array(values, dtype=np.object_).reshape(-1, 1)


@pytest.fixture
def read(request_rows_module):
    return lambda **tensors: request_rows_module.read_rows(tensors, REGISTRY, CALLER)


@pytest.fixture
def refused(request_rows_module):
    """(tensors) -> the sentence with which the request is refused."""

    def refused(**tensors):
        with pytest.raises(request_rows_module.RefusedRequestError) as caught:
            request_rows_module.read_rows(tensors, REGISTRY, CALLER)
        return str(caught.value)

    return refused


def test_a_bare_text_asks_for_all_tasks_without_pair_and_scores(read):
    (row,) = read(text=_texts("wake me \U0001f600"))

    assert (row.text, row.pair, row.all_scores) == ("wake me \U0001f600", None, False)
    assert row.tasks == ("slots", "intent", "emotion")
    assert row.caller is CALLER


def test_each_row_has_its_own_pair_tasks_and_scores(read):
    first, second = read(
        text=_texts("a", "b"),
        pair=_texts("", "c"),
        tasks=_texts("intent", " emotion , slots,emotion, "),
        all_scores=np.array([[True], [False]]),
    )

    assert (first.text, first.pair, first.tasks, first.all_scores) == ("a", None, ("intent",), True)
    assert (second.text, second.pair, second.tasks, second.all_scores) == ("b", "c", ("emotion", "slots"), False)


def test_a_retired_task_is_refused_in_other_words_than_one_that_never_was(refused):
    known = "known tasks: emotion, intent, slots."
    assert refused(text=_texts("a"), tasks=_texts("intent,weather")) == f"the task 'weather' was retired; {known}"
    assert refused(text=_texts("a"), tasks=_texts("news")) == f"there is no task 'news'; {known}"


@pytest.mark.parametrize(
    "others", [{"tasks": _texts("intent")}, {"pair": _texts("a")}, {"all_scores": np.array([[True]])}]
)
def test_a_request_without_a_text_is_refused_whatever_else_it_gives(refused, others):
    assert refused(**others) == "the request has no text: give the input `text`."
    assert refused(text=_texts(), **others) == "the request has no text: give the input `text`."


@pytest.mark.parametrize(
    "empty", ["", " \t\n", "\u00a0", "\u3000", "\u200b", "\ufeff\u200f", "\x00\x1b", "\u2028", "\u00ad \u2060"]
)
def test_an_empty_text_is_refused_and_named(refused, empty):
    assert refused(text=_texts("a", empty)).startswith("text 1 is empty")


@pytest.mark.parametrize("text", ["?", "\u0301", "🙂", "\ufffd", "日", "\x00a", "\u200b.", "\U0001fae8", "\ue000"])
def test_a_text_with_anything_to_see_is_read(read, text):
    assert read(text=_texts(text))[0].text == text


@pytest.mark.parametrize("empty", ["", "  ", "\u200b", "\t\x00"])
def test_an_empty_pair_is_none(read, empty):
    first, second = read(text=_texts("a", "b"), pair=_texts(empty, "c"))

    assert (first.pair, second.pair) == (None, "c")


@pytest.mark.parametrize("name", ["text", "pair"])
def test_a_text_that_would_take_the_memory_of_all_others_is_refused_and_named(refused, read, name):
    tensors = {"text": _texts("a", "b"), "pair": _texts("a", "b")}
    tensors[name][1, 0] = b"a" * 100_000
    read(**tensors)
    tensors[name][1, 0] += b"a"

    assert refused(**tensors).startswith(f"{name} 1 has 100001 characters: give at most 100000")


def test_a_name_of_a_task_that_is_no_name_is_told_in_part(refused):
    assert len(refused(text=_texts("a"), tasks=_texts("x" * 50_000))) < 300


@pytest.mark.parametrize("name", ["text", "pair", "tasks"])
def test_invalid_utf_8_is_refused_with_tensor_row_and_byte(refused, name):
    tensors = {"text": _texts("a", "b"), "pair": _texts("a", "b"), "tasks": _texts("intent", "intent")}
    tensors[name][1, 0] = b"ab\xff"

    assert refused(**tensors) == f"{name} 1 is not valid UTF-8 at byte 2."


@pytest.mark.parametrize("empty", ["", "  ", ",", " , "])
def test_an_empty_list_of_tasks_is_refused_and_does_not_mean_all(refused, empty):
    sentence = refused(text=_texts("a"), tasks=_texts(empty))

    assert "list of tasks is empty" in sentence
    assert "emotion, intent, slots" in sentence


def test_an_unknown_task_is_refused_with_the_known_ones(refused):
    sentence = refused(text=_texts("a", "b"), tasks=_texts("intent", "intent,wether"))

    assert "'wether'" in sentence
    assert "emotion, intent, slots" in sentence


def test_a_request_whose_texts_are_too_long_all_together_is_refused(refused, read):
    texts = ["a" * 50_000] * 4
    read(text=_texts(*texts))

    assert refused(text=_texts(*texts, "b")) == (
        "the request has 200001 characters: give at most 200000 in all its texts."
    )
    assert "200004 characters" in refused(text=_texts(*texts), pair=_texts("a", "a", "a", "a"))
