from finished_search import trial

from training.search.cost import cost_of
from training.search.result import Cost, Trial

STORED = {"hidden_states": 2.0, "teacher_logits": 1.0, "hidden_states_processor": 4.0, "teacher_logits_processor": 2.0}


def timed(one: Trial, seconds: float, **more: int) -> Trial:
    return one.model_copy(update={"seconds": seconds, "processor_seconds": 2 * seconds, **more})


def test_a_search_is_added_up_in_both_clocks_and_in_full_fine_tunings() -> None:
    trials = [
        timed(trial("full", 12, 80.0), 10.0),
        timed(trial("full", 12, 82.0), 20.0, total_epochs=10),  # the best: the unit
        timed(trial("teacher", 4, 70.0), 5.0),
        timed(trial("teacher", 4, 71.0), 9.0, total_epochs=10),
        timed(trial("student", 1, 60.0), 3.0),
        timed(trial("student", 1, 60.0), 2.0, tap=5),
        timed(trial("vanilla", 1, 60.0), 100.0),
        timed(trial("lora", 12, 60.0), 100.0),
    ]
    cost = cost_of(trials, STORED.__getitem__)
    assert (cost.teachers, cost.students, cost.other_taps, cost.longer_runs) == (5.0, 3.0, 2.0, 9.0)
    assert cost.search == 2.0 + 5.0 + 1.0 + 3.0 + 2.0 + 9.0
    assert cost.full_fine_tuning == 20.0
    assert cost.processor is not None
    assert cost.processor.search == 2 * cost.search
    assert cost.full_fine_tunings == cost.search / 20.0
    assert Cost.model_validate_json(cost.model_dump_json()) == cost


def test_trials_of_an_earlier_espalier_have_no_processor_seconds() -> None:
    cost = cost_of([trial("full", 12, 80.0), timed(trial("teacher", 4, 70.0), 3.0)], STORED.__getitem__)
    assert cost.processor is None
    assert cost.full_fine_tunings == (3.0 + 3.0) / 1.0
