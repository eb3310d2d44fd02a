from training.report.collected_results import CollectedResults
from training.report.threshold_sweep import sweep_thresholds


def test_the_sweep_holds_each_choice_once_and_those_of_the_thresholds_given(results: CollectedResults) -> None:
    suites = sweep_thresholds(results.options, [30.0])
    choices = [tuple(option.layers for option in suite.tasks.values()) for suite in suites]
    assert len(set(choices)) == len(choices)
    # rte, slots, stsb, topics: from all that gains anything to a single layer each
    assert choices[0] == (4, 3, 2, 3)
    assert choices[-1] == (1, 1, 1, 1)
    averages = [suite.average_score for suite in suites]
    assert averages == sorted(averages, reverse=True)
