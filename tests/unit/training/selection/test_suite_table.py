import io

from rich.console import Console

from training.selection.mixed import mixed, without_distillation
from training.selection.options import Option, Options, TaskOptions
from training.selection.suite_table import print_suites


def printed(options: Options, width: int, terminal: bool) -> list[list[str]]:
    """The cells of each line, without the rule under the heading."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None, _environ={})
    print_suites([mixed(options, 1.0), without_distillation(options)], console)
    lines = [line for line in file.getvalue().splitlines() if line.strip(" ─")]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_one_row_per_suite_where_it_fits(paper: Options) -> None:
    heading, mixed_row, without_row = printed(paper, width=200, terminal=True)
    assert heading == [*paper.tasks, "Avg.", "Layers", "Overhead"]
    assert mixed_row[:3] == ["mixed (c = 1)", "90.2 (3)", "71.5 (5)"]
    assert mixed_row[-3:] == ["82.5", "33", "34.4%"]
    assert (without_row[0], without_row[-1]) == ("w/o KD", "69.8%")


def test_a_narrow_terminal_gets_one_column_per_suite_and_no_cell_is_cut(paper: Options) -> None:
    lines = printed(paper, width=60, terminal=True)
    assert lines[0] == ["mixed (c = 1)", "w/o KD"]
    assert [line[0] for line in lines[1:]] == [*paper.tasks, "Avg.", "Layers", "Overhead"]
    assert lines[1] == ["qnli", "90.2 (3)", "91.7 (10)"]


def test_a_pipe_gets_one_row_per_suite_whatever_its_width(paper: Options) -> None:
    assert len(printed(paper, width=60, terminal=False)) == 3


def test_a_task_name_in_brackets_is_printed_as_it_is() -> None:
    task = TaskOptions(Option("teacher", 2, 4, 80.0), {1: Option("student", 1, 4, 79.0)})
    assert printed(Options(6, {"[bold]": task}), width=200, terminal=True)[0][0] == "[bold]"
