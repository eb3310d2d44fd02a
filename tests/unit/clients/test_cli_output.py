import io

from rich.console import Console

from clients.answer import Answer, read_row
from clients.cli_output import Line, answer_lines, print_answers, print_streamed


def _lines(answer: str) -> list[Line]:
    return answer_lines("task", Answer.model_validate_json(answer))


def test_a_label_comes_with_score_and_version_and_all_scores_best_first() -> None:
    lines = _lines('{"label": "a", "score": 0.75, "version": 3, "scores": {"b": 0.25, "a": 0.75}}')
    assert lines == [Line("task", "a", "0.750", "v3"), Line("", "  a", "0.750"), Line("", "  b", "0.250")]


def test_a_regression_shows_its_value_as_the_answer() -> None:
    assert _lines('{"score": 3.5, "version": 1}') == [Line("task", "3.500", "", "v1")]


def test_every_span_has_a_line_with_its_offsets() -> None:
    span = '{"start": 11, "end": 16, "text": "seven", "label": "time", "score": 0.98}'
    lines = _lines(f'{{"spans": [{span}, {span}], "version": 1}}')
    assert lines[0] == Line("task", 'time="seven" [11:16]', "0.980", "v1")
    assert lines[1] == Line("", 'time="seven" [11:16]', "0.980")


def test_nothing_found_says_so() -> None:
    assert _lines('{"spans": []}') == [Line("task", "(none)")]
    assert _lines('{"labels": []}') == [Line("task", "(none)")]


def test_every_label_of_a_multi_label_answer_is_shown() -> None:
    lines = _lines('{"labels": [{"label": "joy", "score": 0.8}, {"label": "love", "score": 0.6}]}')
    assert lines == [Line("task", "joy", "0.800"), Line("", "love", "0.600")]


def test_a_words_scores_show_its_three_best_tags() -> None:
    lines = _lines(
        '{"spans": [], "words": [{"start": 0, "end": 2, "scores": {"a": 0.1, "b": 0.4, "c": 0.2, "d": 0.3}}]}'
    )
    assert lines[1] == Line("", "  [0:2] b 0.400, d 0.300, c 0.200")


def test_a_terminal_gets_a_table_and_brackets_in_a_text_are_no_markup() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=100)
    print_answers("say [bold]hi[/bold]\nnow", None, read_row('{"tasks": {"t": {"label": "[red]"}}}'), console)
    assert "say [bold]hi[/bold] now" in screen.getvalue()
    assert "[red]" in screen.getvalue()
    assert "version" in screen.getvalue()
    assert "note" not in screen.getvalue()


def test_no_answers_print_the_text_alone() -> None:
    screen = io.StringIO()
    print_answers("a", None, {}, Console(file=screen))
    assert screen.getvalue() == "a\n\n"


def test_a_long_line_is_not_wrapped_in_a_pipe() -> None:
    screen = io.StringIO()
    print_streamed("t", Answer(label="x" * 300), Console(file=screen, width=80))
    assert screen.getvalue().count("\n") == 1
