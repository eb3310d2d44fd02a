from training.report.collected_results import CollectedResults
from training.report.comparison_columns import (
    distilled_columns,
    full_fine_tuning_column,
    joint_columns,
    suite_column,
    without_distillation_column,
)
from training.report.comparison_table import ComparisonTable, Row, make_comparison_table
from training.selection.mixed import mixed


def table_of(results: CollectedResults) -> ComparisonTable:
    full = full_fine_tuning_column(results)
    columns = [full, *joint_columns(results), *distilled_columns(results), without_distillation_column(results)]
    return make_comparison_table(results, [*columns, suite_column(mixed(results.options, 1))], full)


def texts(row: Row) -> list[str]:
    return [f"{cell.text} {cell.mark}".strip() for cell in row.cells]


def test_a_row_holds_each_columns_score_with_its_branch_and_a_dash_where_there_is_none(
    results: CollectedResults,
) -> None:
    table = table_of(results)
    names = ["full fine-tuning", "MT-DNN (full)", "MT-DNN (LOO)", "KD-1", "KD-2", "w/o KD", "mixed (c = 1)"]
    assert [heading.name for heading in table.columns] == names
    (group,) = table.groups
    rows = {row.name: texts(row) for row in group.tasks}
    assert rows["slots"] == ["\u2013", "72.0", "52.0", "90.0", "94.0", "95.0 T3", "95.0 T3"]
    assert rows["rte"] == ["71.0", "70.0", "\u2013", "64.0", "65.5", "70.0 T4", "70.0 T4"]
    assert {row.name: row.note for row in group.tasks}["stsb"] == "Pearson correlation"


def test_averages_are_only_of_complete_columns_and_say_over_how_many_tasks_they_compare(
    results: CollectedResults,
) -> None:
    average, share, layers, overhead = table_of(results).groups[0].averages
    assert texts(average) == ["\u2013", "71.5", "\u2013", "79.5", "80.9", "82.5", "82.2"]
    # without slots: (70 + 71 + 73) / (71 + 88.5 + 77) for MT-DNN
    assert (share.note, share.cells[1].text) == ("over 3 of 4", "90.5 %")
    assert share.cells[0].text == "\u2013"
    assert texts(layers) == ["\u2013", "6", "\u2013", "8", "12", "16", "13"]
    assert texts(overhead)[-1] == "54.2 %"


def test_glue_has_averages_of_its_own_before_the_other_tasks(paper: CollectedResults) -> None:
    glue, others = table_of(paper).groups
    assert [row.name for row in glue.tasks] == paper.glue
    assert [row.name for row in others.tasks] == ["domain", "emotion"]
    assert [row.name for row in glue.averages] == ["average, GLUE", "of full fine-tuning", "layers", "overhead"]
    assert others.averages[0].name == "average, all tasks"
    assert texts(glue.averages[2])[-1] == "33"
    assert texts(others.averages[2])[-1] == "36"  # domain and emotion: a deeper tap, 8, and a student of 1 layer each
