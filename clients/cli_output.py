"""Answers for a person to read: a table on a terminal, aligned lines elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.answer import Answer

_BEST_TAGS = 3  # of each word; a tagging task can have a hundred, which --json shows
_STREAM_WIDTHS = (16, 32, 6, 4)  # a stream's lines cannot wait for each other to be aligned


@dataclass(frozen=True)
class Line:
    """One line of output; a task's first line names it, lines below it leave `task` empty."""

    task: str
    answer: str
    score: str = ""
    version: str = ""
    note: str = ""


def answer_lines(task: str, answer: Answer) -> list[Line]:
    """One line per label, value or span, then the scores that were asked for."""
    found = _found(answer) or [("(none)", None)]
    version = "" if answer.version is None else f"v{answer.version}"
    note = answer.error or ("truncated: the end of the text was not read" if answer.truncated else "")
    if answer.error is not None:
        found = [("-", None)]
    lines = [Line("", text, _number(score)) for text, score in found]
    lines[0] = Line(task, lines[0].answer, lines[0].score, version, note)
    lines += [Line("", f"  {label}", _number(score)) for label, score in _ranked(answer.scores or {})]
    for word in answer.words or ():
        best = ", ".join(f"{tag} {_number(score)}" for tag, score in _ranked(word.scores)[:_BEST_TAGS])
        lines.append(Line("", f"  [{word.start}:{word.end}] {best}"))
    return lines


def print_answers(text: str, pair: str | None, answers: Mapping[str, Answer], console: Console) -> None:
    """One text's answers, headed by the text itself."""
    lines = [line for task, answer in answers.items() for line in answer_lines(task, answer)]
    heading = _heading(text, pair)
    if console.is_terminal:
        console.print(_table(heading, lines))
    else:
        widths = [max(len(cell) for cell in column) for column in zip(*map(astuple, lines), strict=True)]
        _print_plain(console, heading)
        for line in lines:
            _print_plain(console, _aligned(line, widths))
        _print_plain(console, "")


def print_heading(text: str, pair: str | None, console: Console) -> None:
    """The text alone, before its stream begins."""
    _print_plain(console, _heading(text, pair))


def print_streamed(task: str, answer: Answer, console: Console) -> None:
    """One task's answer, as it arrives."""
    for line in answer_lines(task, answer):
        _print_plain(console, _aligned(line, _STREAM_WIDTHS))


def _found(answer: Answer) -> list[tuple[str, float | None]]:
    if answer.spans is not None:
        return [(f'{s.label}="{_one_line(s.text)}" [{s.start}:{s.end}]', s.score) for s in answer.spans]
    if answer.labels is not None:
        return [(scored.label, scored.score) for scored in answer.labels]
    if answer.label is not None:
        return [(answer.label, answer.score)]
    # A regression's score is its value, not a confidence.
    return [(_number(answer.score), None)] if answer.score is not None else []


def _table(heading: str, lines: list[Line]) -> Table:
    table = Table(title=Text(heading), title_justify="left", box=box.SIMPLE_HEAD)
    columns = ["task", "answer", "score", "version"]
    if any(line.note for line in lines):
        columns.append("note")
    for name in columns:
        table.add_column(name, justify="right" if name == "score" else "left", overflow="fold")
    for line in lines:
        # Text, not str: in a str rich would take the user's square brackets for its own markup.
        table.add_row(*(Text(getattr(line, name)) for name in columns))
    return table


def _aligned(line: Line, widths: Sequence[int]) -> str:
    task, answer, score, version = (
        cell.ljust(width) for cell, width in zip(astuple(line)[:4], widths[:4], strict=True)
    )
    return f"  {task}  {answer}  {score}  {version}  {line.note}".rstrip()


def _print_plain(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)  # soft_wrap: a pipe has no width to wrap at


def _heading(text: str, pair: str | None) -> str:
    return _one_line(text) if pair is None else f"{_one_line(text)} | {_one_line(pair)}"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _ranked(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])
