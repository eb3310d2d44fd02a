from build_tools.serving.watch.model_health import ModelHealth, Progress
from build_tools.serving.watch.verdict import Verdict

IDLE = Progress(done=5, cpu_seconds=1.0)


def _late(health, asked_at, after=IDLE):
    health.note(Verdict.LATE, "Deadline Exceeded", asked_at, asked_at + 4, IDLE, after)


def test_a_model_that_answers_nothing_and_computes_nothing_hangs():
    health = ModelHealth()
    _late(health, 0)
    assert health.reason is None
    assert health.is_suspect
    _late(health, 4)
    assert health.reason == "it has not answered for 8 seconds"


def test_a_model_that_finishes_other_requests_is_only_busy():
    health = ModelHealth()
    for number in range(10):
        _late(health, 4 * number, Progress(done=6, cpu_seconds=1.0))
    assert health.reason is None


def test_a_model_that_computes_a_long_batch_is_only_busy_but_not_for_ever():
    health = ModelHealth()
    for number in range(10):
        _late(health, 4 * number, Progress(done=5, cpu_seconds=4.0))
    assert health.reason is None
    for number in range(10, 20):
        _late(health, 4 * number, Progress(done=5, cpu_seconds=4.0))
    assert health.reason is not None


def test_one_error_may_be_chance_and_two_are_not():
    health = ModelHealth()
    health.note(Verdict.ERRS, "no memory", 0, 1, IDLE, IDLE)
    assert health.reason is None
    health.note(Verdict.ERRS, "no memory", 1, 2, IDLE, IDLE)
    assert health.reason == "it fails: no memory"
    health.note(Verdict.WORKS, "", 2, 3, IDLE, IDLE)
    assert health.reason is None


def test_a_model_that_waits_needs_no_new_process():
    health = ModelHealth()
    health.note(Verdict.WAITS, "no registry", 0, 1, IDLE, IDLE)
    assert (health.reason, health.waits, health.has_answered) == (None, "no registry", True)


def test_what_is_being_loaded_says_nothing():
    health = ModelHealth()
    health.note(Verdict.UNKNOWN, "unknown model", 0, 1, IDLE, IDLE)
    assert (health.reason, health.has_answered, health.is_suspect) == (None, False, False)


def test_missing_processes_are_known_by_when_they_were_first_missed():
    health = ModelHealth()
    assert health.count_processes(2, 2, 1.0) is None
    assert health.count_processes(1, 2, 2.0) == 2.0
    assert health.count_processes(1, 2, 3.0) == 2.0
    assert health.lacks_processes
    assert health.count_processes(2, 2, 4.0) is None
    assert not health.lacks_processes
