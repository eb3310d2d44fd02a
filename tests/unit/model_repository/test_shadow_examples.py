import json
import multiprocessing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from router.registry import Version
from router.row import Row
from router.shadow_examples import ShadowExamples

SHADOW = Version("intent", 2, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")
CALLER = SimpleNamespace(is_gone=False)
LIMIT = 64 * 1024
PATIENCE = 10.0


def _example(text, pair=None):
    row = Row(text, pair, ("intent",), False, CALLER)
    return row, {"label": "a", "score": 0.9}, {"label": "b", "score": 0.8}


def _entries(repository, task="intent"):
    lines = (repository / f"shadow_{task}.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == "", "the last line is whole"
    return [json.loads(line) for line in lines]


def test_an_example_says_what_was_asked_and_what_both_versions_said(tmp_path):
    ShadowExamples(tmp_path).keep(SHADOW, [_example("größe"), _example("one", "two")])

    said = {"live": {"label": "a", "score": 0.9}, "shadow": {"label": "b", "score": 0.8}}
    assert _entries(tmp_path) == [
        {"version": 2, "text": "größe", "pair": None, **said},
        {"version": 2, "text": "one", "pair": "two", **said},
    ]


def test_where_nothing_differs_there_is_no_file(tmp_path):
    ShadowExamples(tmp_path).keep(SHADOW, [])

    assert list(tmp_path.iterdir()) == []


def test_each_task_has_a_file_of_its_own(tmp_path):
    examples = ShadowExamples(tmp_path)
    examples.keep(SHADOW, [_example("one")])
    examples.keep(replace(SHADOW, task="slots"), [_example("two")])
    examples.keep(SHADOW, [_example("three\nlines\u2028here")])

    assert [entry["text"] for entry in _entries(tmp_path)] == ["one", "three\nlines\u2028here"]
    assert [entry["text"] for entry in _entries(tmp_path, "slots")] == ["two"]


@pytest.mark.parametrize("at_once", [1, 500])
def test_the_file_is_bounded_and_keeps_the_first(tmp_path, at_once):
    examples = ShadowExamples(tmp_path)
    texts = [f"{number:06} " + "ä" * 100 for number in range(500)]

    for begin in range(0, len(texts), at_once):
        examples.keep(SHADOW, [_example(text) for text in texts[begin : begin + at_once]])

    size = (tmp_path / "shadow_intent.jsonl").stat().st_size
    assert LIMIT < size < LIMIT + 1000
    kept = [entry["text"] for entry in _entries(tmp_path)]
    assert kept == texts[: len(kept)]


def test_what_other_processes_have_filled_is_full(tmp_path):
    (tmp_path / "shadow_intent.jsonl").write_bytes(b"x" * (LIMIT + 1))

    ShadowExamples(tmp_path).keep(SHADOW, [_example("one")])

    assert (tmp_path / "shadow_intent.jsonl").stat().st_size == LIMIT + 1


def test_the_next_shadow_of_a_task_has_room_once_the_file_of_the_last_is_removed(tmp_path):
    examples = ShadowExamples(tmp_path)
    examples.keep(SHADOW, [_example("x" * (LIMIT + 1)), _example("one")])
    (tmp_path / "shadow_intent.jsonl").unlink()

    examples.keep(replace(SHADOW, number=3), [_example("two")])

    assert [(entry["version"], entry["text"]) for entry in _entries(tmp_path)] == [(3, "two")]


def _write(repository, writer):
    examples = ShadowExamples(repository)
    # Some lines are longer than what Python writes at once.
    texts = [f"{writer} {number} " + f"{writer}" * 3000 * (number % 7) for number in range(40)]
    for begin in range(0, len(texts), 5):
        examples.keep(SHADOW, [_example(text) for text in texts[begin : begin + 5]])


def test_lines_of_several_processes_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.setattr("router.shadow_examples._MOST_BYTES", 2**24)
    fork = multiprocessing.get_context("fork")  # a spawned process would import everything again
    writers = [fork.Process(target=_write, args=(tmp_path, writer), daemon=True) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE)

    assert [writer.exitcode for writer in writers] == [0] * 4
    texts = [entry["text"].split() for entry in _entries(tmp_path)]
    assert sorted((int(writer), int(number)) for writer, number, *_ in texts) == [
        (writer, number) for writer in range(4) for number in range(40)
    ]
    assert all(set("".join(rest)) <= {writer} for writer, _, *rest in texts)


def test_a_repository_that_cannot_be_written_to_is_said_once_and_is_no_error(tmp_path, caplog):
    examples = ShadowExamples(tmp_path / "missing")

    for _ in range(5):
        examples.keep(SHADOW, [_example("one")])

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "examples of differing answers are not kept" in caplog.text
