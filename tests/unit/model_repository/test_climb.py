import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from climbing import GONE, PATIENCE, REGISTRY, TRUNKS, asking, collected, score
from router.candidates import Candidates
from router.registry import Canary, Registry, Task, Version
from router.unavailable import DeadError, NotLoadedError, StoppingError, UnavailableError


def test_every_row_and_task_gets_the_answer_of_its_own_text(start):
    rows = [asking("a", "shallow", "deep"), asking("c" * 40, "deep"), asking("b", "shallow"), asking("a", "deep")]

    found = collected(start(*rows))

    assert {task: sorted(by_row) for task, by_row in found.items()} == {"shallow": [0, 2], "deep": [0, 1, 3]}
    for task, by_row in found.items():
        for row, answer in by_row.items():
            assert (answer["label"], answer["score"]) == ("a", score(rows[row].text[0])), (task, row)
    assert found["shallow"][0]["version"] == 3


def test_a_shallow_task_is_answered_before_the_trunk_s_deeper_step_is_done(start, models):
    models.held["hidden_6"] = threading.Event()
    answers = start(asking("a", "shallow", "deep")).answers()

    task, _ = next(answers)

    assert task == "shallow"
    assert not models.held["hidden_6"].is_set()
    models.held["hidden_6"].set()
    assert [task for task, _ in answers] == ["deep"]


def test_the_trunk_goes_on_while_a_branch_is_computed(start, models):
    models.held["branch_shallow"] = threading.Event()
    answers = start(asking("a", "shallow", "deep")).answers()

    assert next(answers)[0] == "deep"
    models.held["branch_shallow"].set()
    assert [task for task, _ in answers] == ["shallow"]


def test_each_tap_is_computed_once_and_nothing_above_the_deepest_asked(start, models):
    collected(start(asking("a", "shallow", "middle"), asking("b", "shallow")))

    assert models.outputs() == ["hidden_2", "hidden_4"]
    assert models.branches() == ["branch_middle", "branch_shallow"]


def test_a_trunk_that_does_not_go_on_is_called_once_for_all_taps(start, models):
    found = collected(start(asking("a", "shallow", "deep"), resumes=False))

    assert [call.outputs for call in models.calls if call.model == "trunk"] == [["hidden_2", "hidden_6"]]
    assert sorted(found) == ["deep", "shallow"]


def test_a_branch_reads_only_the_rows_that_asked_for_it_and_equal_texts_once(start, models):
    found = collected(start(asking("a", "shallow"), asking("b", "shallow", "deep"), asking("b", "deep")))

    read = {call.model: len(call.inputs["hidden"]) for call in models.calls if call.model not in TRUNKS}
    assert read == {"branch_shallow": 2, "branch_deep": 1}
    assert sorted(found["deep"]) == [1, 2]


def test_the_version_that_the_registry_names_is_the_one_that_is_asked(start, models):
    collected(start(asking("a", "shallow")))

    assert [call.version for call in models.calls] == [-1, 3]


@pytest.mark.parametrize("failure", ["branch_shallow", "branch_shallow nan"])
def test_a_failing_branch_is_an_error_of_its_task_alone_and_is_not_kept(start, models, cache, failure):
    models.failing.add(failure)
    rows = [asking("a", "shallow", "deep"), asking("b", "shallow")]

    found = collected(start(*rows))

    assert sorted(found["shallow"]) == [0, 1]
    assert all("branch of shallow failed" in answer["error"] for answer in found["shallow"].values())
    assert found["deep"][0]["score"] == score("a")
    remaining, known = cache.look_up(rows, REGISTRY)
    assert [row.tasks for row in remaining] == [("shallow",), ("shallow",)]
    assert list(known) == ["deep"]


@pytest.mark.parametrize("output", ["hidden_2", "hidden_6"])
def test_a_failing_trunk_fails_the_run(start, models, output):
    models.failing.add(output)

    with pytest.raises(RuntimeError, match=f"{output} is broken"):
        collected(start(asking("a", "shallow", "deep")))


@pytest.mark.parametrize("called", ["hidden_2", "hidden_6", "branch_shallow"])
def test_a_panic_fails_the_run_and_keeps_nobody_waiting(start, models, called):
    class PanicException(BaseException):  # Rust's cannot be caught by its name either
        pass

    models.errors[called] = PanicException("index out of bounds")

    with pytest.raises(RuntimeError, match="PanicException: index out of bounds"):
        collected(start(asking("a", "shallow", "deep")))


@pytest.mark.parametrize("taken", range(4))
def test_a_pool_that_takes_no_more_calls_fails_the_run_and_keeps_nobody_waiting(start, pool, taken, monkeypatch):
    submit, submitted = pool.submit, []

    def submit_some(*call):
        if len(submitted) == taken:
            raise RuntimeError("can't start new thread")
        submitted.append(call)
        return submit(*call)

    monkeypatch.setattr(pool, "submit", submit_some)

    with pytest.raises(RuntimeError, match="can't start new thread"):
        collected(start(asking("a", "shallow", "deep"), asking("b" * 40, "shallow")))


@pytest.mark.parametrize("called", ["hidden_2", "hidden_6", "branch_shallow"])
def test_that_the_server_stops_is_an_error_of_no_task_and_of_no_candidate(start, models, called):
    canary = replace(REGISTRY.tasks["shallow"].live, number=4)
    candidate = Task(REGISTRY.tasks["shallow"].live, Canary(canary, 1.0, 0.1, 50, 10))
    registry = Registry({**REGISTRY.tasks, "shallow": candidate})
    candidates = Candidates(registry)
    models.errors[called] = StoppingError("Server is stopping")

    with pytest.raises(StoppingError):
        collected(start(asking("a", "shallow", "deep"), registry=registry, candidates=candidates))

    assert all(outcome.errors == 0 for outcome in candidates.outcomes.values())


def test_an_error_names_the_request_so_that_the_log_can_be_searched(start, models, caplog):
    models.failing.add("branch_shallow")

    found = collected(start(asking("a", "shallow"), asking("b", "shallow")))

    assert found["shallow"][0]["error"].endswith("branch_shallow is broken (request 7)")
    (record,) = [record for record in caplog.records if record.name == "router.failure_log"]
    assert "2 texts not answered, requests 7" in record.getMessage()


def test_a_dead_branch_is_called_once_and_then_refused_at_once_while_others_answer(start, models):
    models.errors["branch_shallow"] = DeadError("branch_shallow: Stub process is not healthy.")

    for _ in range(5):
        found = collected(start(asking("a", "shallow", "deep")))
        assert found["shallow"][0]["unavailable"]
        assert "ask again" in found["shallow"][0]["error"]
        assert found["deep"][0]["score"] == score("a")

    assert models.branches().count("branch_shallow") == 1


def test_a_dead_trunk_fails_the_run_as_unavailable_and_is_not_called_again(start, models):
    models.errors["trunk"] = DeadError("trunk: Stub process is not healthy.")

    for _ in range(5):
        with pytest.raises(UnavailableError):
            collected(start(asking("a", "shallow", "deep")))

    assert len(models.calls) == 1


@pytest.mark.parametrize("dead", ["branch_shallow", "trunk"])
def test_nobody_waits_for_a_process_that_dies_during_the_call(start, models, breakers, dead):
    """Triton says so only after a second, or more if several calls wait."""
    models.held["hidden_2" if dead == "trunk" else dead] = threading.Event()
    answers = start(asking("a", "shallow", "deep")).answers()
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(list, answers)
        models.wait_for(dead)

        breakers._died((dead, -1 if dead == "trunk" else 3))

        if dead == "trunk":
            with pytest.raises(UnavailableError, match="ended or was stopped"):
                found.result(PATIENCE)
        else:
            answered = dict(found.result(PATIENCE))
            assert json.loads(answered["shallow"][0])["unavailable"]
            assert "label" in json.loads(answered["deep"][0])
    (held,) = models.held.values()
    assert not held.is_set(), "the call is still under way"
    held.set()


@pytest.mark.parametrize(
    ("error", "counted"), [(NotLoadedError("not ready"), 0), (DeadError("dead"), 1), (RuntimeError("bad"), 1)]
)
def test_of_a_canary_only_its_own_failures_are_held_against_it(start, models, error, counted):
    canary = replace(REGISTRY.tasks["shallow"].live, number=4, model="branch_new")
    registry = Registry({"shallow": Task(REGISTRY.tasks["shallow"].live, Canary(canary, 1.0, 0.1, 50, 10))})
    candidates = Candidates(registry)
    models.errors["branch_new"] = error

    collected(start(asking("a", "shallow"), registry=registry, candidates=candidates))

    assert sum(outcome.errors for outcome in candidates.outcomes.values()) == counted


def test_rows_whose_callers_are_gone_are_not_computed(start, models):
    found = collected(
        start(asking("a", "shallow", caller=GONE), asking("b", "shallow"), asking("c", "deep", caller=GONE))
    )

    assert {task: list(rows) for task, rows in found.items()} == {"shallow": [1]}
    assert models.branches() == ["branch_shallow"]
    assert [len(call.inputs["hidden"]) for call in models.calls if call.model not in TRUNKS] == [1]


def test_where_all_callers_are_gone_nothing_is_computed_at_all(start, models):
    assert collected(start(asking("a", "shallow", caller=GONE), asking("c" * 40, "deep", caller=GONE))) == {}
    assert models.calls == []


def test_a_caller_who_goes_on_the_way_stops_the_trunk(start, models):
    caller = SimpleNamespace(is_gone=False, id="7")
    models.held["hidden_2"] = threading.Event()
    run = start(asking("a", "shallow", "deep", caller=caller))
    answers = run.answers()
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(list, answers)
        models.wait_for("trunk")
        caller.is_gone = True
        models.held["hidden_2"].set()
        assert found.result(PATIENCE) == []

    assert models.outputs() == ["hidden_2"]
    assert models.branches() == []


@pytest.mark.parametrize("fails", [False, True])
def test_when_the_answers_end_early_no_call_is_still_under_way_and_none_follows(start, models, pool, fails):
    """A call under way would ask Triton about requests that are answered by then, and freed."""
    models.held["branch_shallow"] = threading.Event()
    models.held["hidden_6"] = threading.Event()
    answers = start(asking("a", "shallow", "middle", "deep")).answers()
    assert next(answers)[0] == "middle"
    models.wait_for("branch_shallow")  # its thread may be slower than that of middle
    if fails:
        models.failing.add("hidden_6")
    models.held["hidden_6"].set()
    ended = threading.Event()

    def end():
        if fails:
            with pytest.raises(RuntimeError, match="hidden_6 is broken"):
                list(answers)
        else:
            answers.close()
        ended.set()

    ending = threading.Thread(target=end)
    ending.start()
    assert not ended.wait(0.1), "a branch is still under way"
    models.held["branch_shallow"].set()
    assert ended.wait(PATIENCE)
    ending.join()

    before = len(models.calls)
    idle = threading.Event()
    pool.submit(idle.set)
    assert idle.wait(PATIENCE)
    assert len(models.calls) == before


def test_tokens_and_padding_are_those_of_all_groups(start):
    run = start(asking("a" * 6, "shallow"), asking("a" * 5, "shallow"), asking("c" * 50, "deep"))  # 8, 7 and 52 tokens

    collected(run)

    assert (run.tokens, run.padding) == (8 + 8 + 56, 1 + 4)


def test_a_text_as_long_as_a_task_reads_is_not_padded_beyond_what_the_encoder_has_positions_for(start, models):
    registry = Registry({"odd": Task(Version("odd", 1, "classification", ("a", "b"), 2, 61, "branch_odd", "trunk"))})

    collected(start(asking("a" * 70, "odd"), registry=registry))

    assert {call.inputs["attention_mask"].shape for call in models.calls} == {(1, 61)}


def test_answers_are_kept_for_the_next_time(start, cache):
    row = asking("a", "shallow", "deep")
    found = collected(start(row))

    (remaining,), known = cache.look_up([row], REGISTRY)

    assert remaining.tasks == ()
    assert {task: json.loads(by_row[0]) for task, by_row in known.items()} == {
        task: by_row[0] for task, by_row in found.items()
    }


def test_many_groups_on_few_threads_end(start):
    rows = [asking("a" * (1 + number * 3 % 60), "shallow", "middle", "deep") for number in range(60)]

    found = collected(start(*rows))

    assert {task: len(by_row) for task, by_row in found.items()} == {"shallow": 60, "middle": 60, "deep": 60}


SHALLOW, DEEP = (REGISTRY.tasks[task].live for task in ("shallow", "deep"))
TEXTS = list("abcdefghijklmnopqrst")


def _candidate(**candidate):
    """The registry, with a candidate of `shallow`: canary=... or shadow=..."""
    return Registry(REGISTRY.tasks | {"shallow": Task(SHALLOW, **candidate)}, dict.fromkeys(TRUNKS, "tokenizer"))


def _canary(**difference):
    version = replace(SHALLOW, **{"number": 4, "model": "branch_new"} | difference)
    return Canary(version, share=0.5, max_error_rate=0.1, max_milliseconds=50, minimum=10)


def _shadow(**difference):
    return _canary(**difference).version


def _share(canary):
    """The rows of TEXTS for which the canary answers."""
    share = [row for row, text in enumerate(TEXTS) if canary.answers_for(text, None)]
    assert 0 < len(share) < len(TEXTS)
    return share


@pytest.mark.parametrize("difference", [{}, {"tap": 5}, {"max_length": 16}, {"trunk": "trunk.2"}])
@pytest.mark.parametrize("resumes", [True, False])
def test_a_canary_answers_for_its_share_of_the_texts_and_the_live_version_for_the_others(start, difference, resumes):
    canary = _canary(**difference)

    found = collected(
        start(*(asking(text, "shallow") for text in TEXTS), registry=_candidate(canary=canary), resumes=resumes)
    )

    assert sorted(found["shallow"]) == list(range(len(TEXTS)))
    assert [row for row in sorted(found["shallow"]) if found["shallow"][row]["version"] == 4] == _share(canary)
    for row, text in enumerate(TEXTS):
        is_moved = row in _share(canary) and canary.version.trunk == "trunk.2"
        assert found["shallow"][row]["score"] == score(chr(ord(text) + is_moved)), text


@pytest.mark.parametrize("failure", ["branch_new", "branch_new nan"])
def test_a_failing_canary_is_an_error_of_its_own_texts_alone(start, models, failure):
    canary = _canary()
    registry = _candidate(canary=canary)
    candidates = Candidates(registry)
    models.failing.add(failure)

    found = collected(
        start(*(asking(text, "shallow", "deep") for text in TEXTS), registry=registry, candidates=candidates)
    )

    assert [row for row in sorted(found["shallow"]) if "error" in found["shallow"][row]] == _share(canary)
    assert sorted(found["shallow"]) == list(range(len(TEXTS)))
    assert all("label" in answer for answer in found["deep"].values())
    outcome = candidates.outcomes[canary.version]
    assert (outcome.answers, outcome.errors) == (0, len(_share(canary)))


@pytest.mark.parametrize(("difference", "failure"), [({"trunk": "trunk.2"}, "trunk.2"), ({"tap": 7}, "hidden_7")])
def test_where_the_trunk_fails_for_a_canary_alone_it_is_an_error_of_its_own_texts_alone(
    start, models, difference, failure
):
    canary = _canary(**difference)
    models.failing.add(failure)

    found = collected(start(*(asking(text, "shallow", "deep") for text in TEXTS), registry=_candidate(canary=canary)))

    assert [row for row in sorted(found["shallow"]) if "error" in found["shallow"][row]] == _share(canary)
    assert all("label" in answer for answer in found["deep"].values())


def test_the_time_of_a_canary_s_calls_is_that_which_they_took(start, models):
    registry = _candidate(canary=_canary())
    candidates = Candidates(registry)
    models.held["branch_new"] = threading.Event()
    run = start(*(asking(text, "shallow") for text in TEXTS), registry=registry, candidates=candidates)
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(list, run.answers())
        models.wait_for("branch_new")
        time.sleep(0.05)
        models.held["branch_new"].set()
        found.result(PATIENCE)

    outcome = candidates.outcomes[_canary().version]
    assert outcome.calls == 1
    assert 0.05 <= outcome.seconds < PATIENCE


def test_rows_whose_callers_are_gone_are_not_held_against_a_canary(start, models):
    registry = _candidate(canary=_canary())
    candidates = Candidates(registry)
    models.failing.add("branch_new")

    collected(
        start(*(asking(text, "shallow", caller=GONE) for text in TEXTS), registry=registry, candidates=candidates)
    )

    assert candidates.outcomes == {}


@pytest.mark.parametrize(
    "difference",
    [
        {},
        {"tap": 6},
        {"tap": 8},
        {"max_length": 8},
        {"kind": "multi_label"},
        {"kind": "pair_classification"},
        {"trunk": "trunk.2"},
        {"trunk": "trunk.2", "tap": 8, "max_length": 8},
    ],
)
@pytest.mark.parametrize("resumes", [True, False])
def test_a_shadow_is_computed_beside_the_live_version_and_changes_no_answer(start, models, difference, resumes):
    shadow = _shadow(**difference)
    registry = _candidate(shadow=shadow)
    candidates = Candidates(registry)
    rows = [
        asking("a", "shallow", "deep", pair="z"),
        asking("c" * 20, "shallow", pair="z"),
        asking("b", "deep", pair="z"),
    ]
    expected = collected(start(*rows, resumes=resumes))
    models.calls.clear()

    found = collected(start(*rows, registry=registry, candidates=candidates, resumes=resumes))

    assert found == expected
    assert "branch_new" in models.branches()
    assert list(candidates.outcomes) == [shadow]
    assert (candidates.outcomes[shadow].answers, candidates.outcomes[shadow].errors) == (2, 0)
    assert candidates.outcomes[shadow].compared == 2
    assert sorted(candidates.outcomes[shadow].differing) == ([0, 1] if shadow.kind == "multi_label" else [])


def test_a_shadow_reads_the_hidden_states_of_its_own_trunk(start, models):
    collected(start(asking("a", "shallow"), registry=_candidate(shadow=_shadow(trunk="trunk.2", tap=6))))

    read = {call.model: call.inputs["hidden"][0, 1, 0] for call in models.calls if call.model not in TRUNKS}
    assert read == {"branch_shallow": 4, "branch_new": 5}
    assert [(call.model, call.outputs) for call in models.calls if call.model in TRUNKS] == [
        ("trunk", ["hidden_2"]),
        ("trunk.2", ["hidden_6"]),
    ]


@pytest.mark.parametrize("failure", ["branch_new", "branch_new nan"])
def test_a_failing_shadow_reaches_no_answer(start, models, failure):
    shadow = _shadow()
    registry = _candidate(shadow=shadow)
    candidates = Candidates(registry)
    rows = [asking(text, "shallow", "deep") for text in TEXTS]
    expected = collected(start(*rows))
    models.failing.add(failure)

    assert collected(start(*rows, registry=registry, candidates=candidates)) == expected

    outcome = candidates.outcomes[shadow]
    assert (outcome.answers, outcome.errors, outcome.compared) == (0, len(TEXTS), 0)


@pytest.mark.parametrize(("difference", "failure"), [({"trunk": "trunk.2"}, "trunk.2"), ({"tap": 7}, "hidden_7")])
def test_a_trunk_that_fails_for_a_shadow_alone_reaches_no_answer(start, models, difference, failure):
    rows = [asking(text, "shallow", "deep") for text in TEXTS]
    expected = collected(start(*rows))
    models.failing.add(failure)

    assert collected(start(*rows, registry=_candidate(shadow=_shadow(**difference)))) == expected


@pytest.mark.parametrize("difference", [{}, {"tap": 7}, {"trunk": "trunk.2"}])
def test_every_answer_is_there_while_the_shadow_is_still_computed(start, models, difference):
    models.held["branch_new"] = threading.Event()
    answers = start(asking("a", "shallow", "deep"), registry=_candidate(shadow=_shadow(**difference))).answers()

    assert {next(answers)[0], next(answers)[0]} == {"shallow", "deep"}

    assert not models.held["branch_new"].is_set()
    models.held["branch_new"].set()
    assert list(answers) == []


@pytest.mark.parametrize("output", ["hidden_7", "trunk.2"])
def test_every_answer_is_there_while_the_trunk_is_still_computed_for_a_shadow_alone(start, models, output):
    difference = {"tap": 7} if output == "hidden_7" else {"trunk": "trunk.2"}
    models.held[output] = threading.Event()
    answers = start(asking("a", "shallow", "deep"), registry=_candidate(shadow=_shadow(**difference))).answers()

    assert {next(answers)[0], next(answers)[0]} == {"shallow", "deep"}

    models.held[output].set()
    assert list(answers) == []


def test_a_live_version_that_fails_is_not_answered_for_by_its_shadow(start, models):
    shadow = _shadow()
    registry = _candidate(shadow=shadow)
    candidates = Candidates(registry)
    models.failing.add("branch_shallow")

    found = collected(start(asking("a", "shallow"), registry=registry, candidates=candidates))

    assert "branch of shallow failed" in found["shallow"][0]["error"]
    assert (candidates.outcomes[shadow].answers, candidates.outcomes[shadow].compared) == (1, 0)


def test_tasks_on_two_trunks_are_answered_each_from_its_own(start, models):
    moved = replace(DEEP, task="moved", trunk="trunk.2", model="branch_moved")
    registry = Registry(REGISTRY.tasks | {"moved": Task(moved)}, dict.fromkeys(TRUNKS, "tokenizer"))

    found = collected(start(asking("a", "shallow", "deep", "moved"), asking("c" * 40, "moved"), registry=registry))

    assert {task: sorted(by_row) for task, by_row in found.items()} == {"shallow": [0], "deep": [0], "moved": [0, 1]}
    assert (found["deep"][0]["score"], found["moved"][0]["score"]) == (score("a"), score("b"))
    assert sorted({call.model for call in models.calls}) == [
        "branch_deep",
        "branch_moved",
        "branch_shallow",
        "trunk",
        "trunk.2",
    ]
