import io

from rich.console import Console

from training.figure import Figure
from training.selection.mixed import full_fine_tuning, mixed, without_distillation
from training.selection.options import Option, OptionRole, Options, TaskOptions
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


def test_figures_have_their_error_and_a_share_of_full_fine_tuning() -> None:
    def option(role: OptionRole, layers: int, score: float, *draws: float) -> Option:
        figure = Figure(rows=100, score=score - 1, draws=list(draws), chose_nothing=True)
        return Option(role, layers, 6 - layers, score, figure=figure)

    student, full = option("student", 1, 79.0, 77.0, 79.0), option("full", 6, 81.0, 79.0, 81.0)
    options = Options(6, {"a": TaskOptions(option("teacher", 2, 79.1, 78.0, 79.0), {1: student}, full)})
    file = io.StringIO()
    print_suites([full_fine_tuning(options), mixed(options, 1.0)], Console(file=file, width=200, _environ={}))
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines[0] == "a Avg. Layers Overhead Of full"
    assert "full fine-tuning 80.0 ±1.4 (6) 80.0 ±1.4 6 100.0%" in lines[2]
    assert lines[3] == "mixed (c = 1) 78.0 ±1.4 (1) 78.0 ±1.4 6 100.0% 97.5% ±0.0%"
    assert lines[-1] == "On rows that chose nothing; ± one standard error."
