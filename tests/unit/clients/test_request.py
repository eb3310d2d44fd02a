from typing import Any

import pytest

from clients.errors import RequestRejected
from clients.request import Column, single_request, split_requests


def test_optional_inputs_are_absent_unless_asked_for() -> None:
    assert single_request("a", None, None, False).columns() == [Column("text", "BYTES", ["a"])]


def test_all_inputs_have_a_row_per_text() -> None:
    (request,) = split_requests(["a", "b"], ["x", None], ["intent", "slots"], True)
    assert request.columns() == [
        Column("text", "BYTES", ["a", "b"]),
        Column("pair", "BYTES", ["x", ""]),
        Column("tasks", "BYTES", ["intent,slots", "intent,slots"]),
        Column("all_scores", "BOOL", [True, True]),
    ]


def test_a_long_list_is_split_at_64_in_order_with_its_pairs() -> None:
    texts = [f"t{i}" for i in range(130)]
    pairs = [f"p{i}" for i in range(130)]
    requests = split_requests(texts, pairs, None, False)
    assert [len(request) for request in requests] == [64, 64, 2]
    assert [text for request in requests for text in request.texts] == texts
    assert [pair for request in requests for pair in request.pairs or []] == pairs


def test_a_part_without_any_pair_sends_none() -> None:
    requests = split_requests(["t"] * 65, [None] * 64 + ["p"], None, False)
    assert [request.pairs for request in requests] == [None, ["p"]]


def test_no_texts_make_no_request() -> None:
    assert split_requests([], None, None, False) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", None, None), "text is empty"),
        ((" \n", None, None), "text is empty"),
        ((b"bytes", None, None), "text must be a str, not bytes"),
        ((None, None, None), "text must be a str, not NoneType"),
        (("a\udcff", None, None), "text is not valid UTF-8 at character 1"),
        (("a", 3, None), "pair must be a str, not int"),
        (("a", None, []), "the list of tasks is empty"),
        (("a", None, "intent"), "tasks must be a list of task names, not 'intent'"),
        (("a", None, ["intent,slots"]), "tasks.0. is 'intent,slots', which is not a task name"),
        (("a", None, ["intent", ""]), "tasks.1. is '', which is not a task name"),
    ],
)
def test_a_wrong_request_is_refused_before_it_is_sent(arguments: tuple[Any, Any, Any], sentence: str) -> None:
    with pytest.raises(RequestRejected, match=f"^{sentence}"):
        single_request(*arguments, False)


@pytest.mark.parametrize(
    ("texts", "pairs", "sentence"),
    [
        ("one text", None, "texts must be a list of texts"),
        (["a", ""], None, "texts.1. is empty"),
        (["a", 2], None, "texts.1. must be a str, not int"),
        (["a", "b"], ["x"], "pairs has 1 rows and texts has 2"),
        (["a"], [2], "pairs.0. must be a str, not int"),
        (["a"], "x", "pairs must be a list of texts"),
    ],
)
def test_a_wrong_batch_is_refused_naming_the_row(texts: Any, pairs: Any, sentence: str) -> None:
    with pytest.raises(RequestRejected, match=f"^{sentence}"):
        split_requests(texts, pairs, None, False)


def test_a_refusal_can_be_caught_as_a_value_error() -> None:
    with pytest.raises(ValueError, match="text is empty"):
        single_request("", None, None, False)
