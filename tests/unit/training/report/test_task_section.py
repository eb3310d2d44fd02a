from dataclasses import replace

from training.report.collected_results import CollectedResults
from training.report.task_section import make_task_section


def test_of_a_dev_set_that_was_cut_the_half_that_chose_nothing_is_told(results: CollectedResults) -> None:
    task = results.tasks[0]
    teacher = task.teacher.model_copy(update={"held_scores": {"accuracy": 60.0}})
    trials = [teacher if trial is task.teacher else trial for trial in task.result.trials]
    halved = replace(task, result=task.result.model_copy(update={"held_rows": 276, "trials": trials}))
    section = make_task_section(halved, halved.options.teacher, "No model was loaded.")
    assert section.facts.endswith("2,490 train rows and 277 dev rows, besides 276 that chose nothing.")
    assert section.chosen == "teacher of 4 layers on tap 2: accuracy 60.0, on the rows that chose nothing"
