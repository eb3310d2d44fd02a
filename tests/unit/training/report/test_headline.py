from training.report.collected_results import CollectedResults
from training.report.comparison_columns import full_fine_tuning_column, suite_column
from training.report.headline import make_headline
from training.selection.mixed import mixed


def test_glue_and_all_tasks_have_a_sentence_each(paper: CollectedResults) -> None:
    glue, everything = make_headline(paper, suite_column(mixed(paper.options, 1)), full_fine_tuning_column(paper))
    assert glue.startswith("The eight GLUE tasks: 82.5 points on average, 99.7 % of full fine-tuning's 82.8, with 33 ")
    assert "an overhead of 34.4 %" in glue
    assert everything.startswith("All 10 tasks: ")
    assert "of full fine-tuning over the 8 tasks with both scores" in everything


def test_without_full_fine_tuning_nothing_is_compared(results: CollectedResults) -> None:
    none = full_fine_tuning_column(results)
    none.scores.clear()
    (sentence,) = make_headline(results, suite_column(mixed(results.options, 1)), none)
    assert sentence == "All 4 tasks: 82.2 points on average, with 13 layers: an overhead of 54.2 %."
