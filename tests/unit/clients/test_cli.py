import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients import Answer, RequestRejected, ServerUnavailable, cli
from clients.answer import read_row
from espalier_errors import EspalierError

_ANSWERS = (
    '{"tasks": {"intent": {"label": "alarm", "score": 0.9, "version": 2, "truncated": true},'
    ' "paraphrase": {"error": "needs a pair"}}}'
)


class _Client:
    calls: list[tuple[Any, ...]]

    credentials: dict[str, Any]

    def __init__(self, url: str, timeout: float, **credentials: Any) -> None:
        self.calls.append((url, timeout))
        type(self).credentials = credentials

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def predict_batch(
        self, texts: list[str], pairs: list[str] | None, tasks: Sequence[str] | None, all_scores: bool
    ) -> list[dict[str, Answer]]:
        if texts == ["bad"]:
            raise RequestRejected("this is bad")
        self.calls.append((texts, pairs, tasks, all_scores))
        return [read_row(_ANSWERS) for _ in texts]

    def stream(
        self, text: str, pair: str | None, tasks: Sequence[str] | None, all_scores: bool
    ) -> Iterator[tuple[str, Answer]]:
        self.calls.append((text, pair, tasks, all_scores))
        yield from read_row(_ANSWERS).items()
        if text == "bad":
            raise ServerUnavailable("gone")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    _Client.calls = []
    monkeypatch.setattr(cli, "Client", _Client)
    return _Client.calls


def _run(*arguments: str, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(cli.app, ["predict", *arguments], input=stdin)


def test_without_a_terminal_the_answers_are_aligned_lines(calls: list[tuple[Any, ...]]) -> None:
    result = _run("wake me", "--pair", "q", "--tasks", "intent, paraphrase", "--scores", "--url", "http://h:1")
    assert result.exit_code == 0
    assert result.stdout == (
        "wake me | q\n"
        "  intent      alarm  0.900  v2  truncated: the end of the text was not read\n"
        "  paraphrase  -                 needs a pair\n"
        "\n"
    )
    assert calls == [("http://h:1", 30.0), (["wake me"], ["q"], ["intent", "paraphrase"], True)]


def test_json_is_one_object_per_text_with_what_the_server_said_and_no_more(
    calls: list[tuple[Any, ...]],
) -> None:
    result = _run("ü", "b", "--json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first == {"text": "ü", **json.loads(_ANSWERS)}
    assert second["text"] == "b"
    assert calls[1] == (["ü", "b"], None, None, False)


def test_json_stream_is_one_object_per_task(calls: list[tuple[Any, ...]]) -> None:
    lines = [json.loads(line) for line in _run("a", "--json", "--stream", "--pair", "p").stdout.splitlines()]
    assert [line["task"] for line in lines] == ["intent", "paraphrase"]
    assert lines[1] == {"text": "a", "pair": "p", "task": "paraphrase", "answer": {"error": "needs a pair"}}
    assert calls[1] == ("a", "p", None, False)


@pytest.mark.usefixtures("calls")
def test_a_stream_that_breaks_keeps_what_came_before() -> None:
    result = _run("bad", "--stream")
    assert str(result.exception) == "gone"
    assert result.stdout.startswith("bad\n  intent")


@pytest.mark.parametrize("options", [[], ["--json"], ["--stream"]])
@pytest.mark.usefixtures("calls")
def test_a_text_that_no_task_answered_makes_the_exit_code_1_and_all_is_printed(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run("a", "b", *options).exit_code == 0  # one of the two tasks has an error, the other an answer
    monkeypatch.setitem(globals(), "_ANSWERS", '{"tasks": {"paraphrase": {"error": "needs a pair"}}}')
    result = _run("a", "b", *options)
    assert result.exit_code == 1
    assert result.stdout.count("needs a pair") == 2


def test_a_file_is_asked_in_batches_after_the_arguments(tmp_path: Path, calls: list[tuple[Any, ...]]) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(f"line {i}" for i in range(70)), encoding="utf-8")
    assert _run("first", "--file", str(file), "--json").exit_code == 0
    assert [len(call[0]) for call in calls[1:]] == [64, 7]
    assert calls[1][0][:2] == ["first", "line 0"]


def test_standard_input_is_read_with_a_dash(calls: list[tuple[Any, ...]]) -> None:
    assert _run("--file", "-", "--json", stdin="\ufeffü\r\nb\n".encode()).exit_code == 0
    assert calls[1][0] == ["ü", "b"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (["bad"], None, "this is bad"),
        ([], None, "no text to ask about"),
        (["a", " "], None, "TEXT 2 is empty"),
        (["a", "--tasks", ""], None, "--tasks is empty"),
        (["--file", "-"], b"\n \n", "no text to ask about"),
        (["--file", "-"], b"a\n\n\xff\n", "standard input, line 3 is not valid UTF-8"),
        (["--file", "-"], b"a\n\xff\n", "standard input, line 2 is not valid UTF-8"),
        (["--file", "/no/such/file"], None, "/no/such/file cannot be read: No such file or directory"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_an_error_is_one_sentence(arguments: list[str], stdin: bytes | None, sentence: str) -> None:
    result = _run(*arguments, stdin=stdin)
    assert isinstance(result.exception, EspalierError)  # which the program prints, without a traceback
    assert str(result.exception).startswith(sentence)
    assert "\n" not in str(result.exception)
    assert result.stdout == ""


def test_blank_lines_are_skipped_naming_them_and_the_rest_is_asked(calls: list[tuple[Any, ...]]) -> None:
    result = _run("--file", "-", "--json", stdin=b"a\n\nb\n \t\n\r\n\xe3\x80\x80\nc\n\n")
    assert result.exit_code == 0
    assert calls[1][0] == ["a", "b", "c"]
    assert [f"line {number} " in result.stderr for number in range(1, 9)] == [
        *(False, True, False, True, True, True, False, True)
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("text 1 has 200000 characters: give at most 100000.", "standard input, line 3 has 200000 characters"),
        ("text 1 is empty: give at least one word.", "standard input, line 3 is empty"),
        ("texts[0] is not valid UTF-8 at character 3", "TEXT 1 is not valid UTF-8"),
        ("text 2 has 9 characters: give at most 5.", "text 2 has 9 characters"),  # there is no such text
        ("text: is odd", "text: is odd"),
        ("pair 0 has 9 characters", "pair 0 has 9 characters"),
    ],
)
def test_a_refused_text_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]], message: str, expected: str
) -> None:
    def refuse(*_: object) -> None:
        raise RequestRejected(message)

    monkeypatch.setattr(_Client, "predict_batch", refuse)
    result = _run("first", "--file", "-", stdin=b"\n\nbad\n")
    assert str(result.exception).startswith(expected)
    assert len(calls) == 1


def test_a_refused_text_of_a_stream_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]]
) -> None:
    def refuse(_: object, text: str, *__: object) -> Iterator[tuple[str, Answer]]:
        if text == "bad":
            raise RequestRejected("text 0 has 9 characters")
        yield from read_row(_ANSWERS).items()

    monkeypatch.setattr(_Client, "stream", refuse)
    result = _run("--stream", "--file", "-", stdin=b"good\n\nbad\n")
    assert str(result.exception) == "standard input, line 3 has 9 characters"
    assert len(calls) == 1


def test_after_two_dashes_a_text_may_begin_with_a_dash(calls: list[tuple[Any, ...]]) -> None:
    assert _run("--json", "--", "-5 degrees", "--pair").exit_code == 0
    assert calls[1][0] == ["-5 degrees", "--pair"]


@pytest.mark.usefixtures("calls")
def test_key_and_certificates_are_those_of_the_environment_and_no_option_shows_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k1\n")
    monkeypatch.setenv("ESPALIER_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("ESPALIER_CA", "ca.pem")

    _run("a", "--url", "grpcs://host")
    assert _Client.credentials == {"key": "k1", "ca": Path("ca.pem"), "cert": None}
    _run("a", "--url", "localhost")  # without TLS no certificate matters
    assert _Client.credentials == {"key": "k1", "ca": None, "cert": None}
