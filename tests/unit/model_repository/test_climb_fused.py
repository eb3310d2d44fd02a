"""A batch where some versions run in a fused graph."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from climbing import GONE, PATIENCE, REGISTRY, asking, collected, score
from router.candidates import Candidates
from router.registry import Canary, Fused, Task
from router.unavailable import DeadError, NotLoadedError, StoppingError, UnavailableError

FUSED = Fused("fused", 5, {"deep": 1, "middle": 1, "same": 1, "shallow": 3}, (2, 4, 6))
COMPACTED = replace(REGISTRY, fused={"trunk": FUSED})
SHALLOW, MIDDLE, DEEP = (REGISTRY.tasks[task].live for task in ("shallow", "middle", "deep"))
TEXTS = list("abcdefgh")
ALL = ("shallow", "middle", "deep")


@pytest.fixture(autouse=True)
def _fused(models):
    models.fused["fused"] = FUSED


@pytest.fixture
def uncompacted(models):
    """After a compaction, trunk and branch models are not loaded any more."""
    for model in ("trunk", "branch_shallow", "branch_middle", "branch_deep"):
        models.errors[model] = NotLoadedError(f"{model} is not ready")


def _with(task):
    """The registry after a compaction, where one task has changed since."""
    return replace(COMPACTED, tasks=COMPACTED.tasks | {task.live.task: task})


def _calls(models):
    return [(call.model, call.version, call.outputs) for call in models.calls]


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("by_tap", [True, False])
@pytest.mark.usefixtures("uncompacted")
def test_rows_that_ask_for_different_tasks_get_the_answers_of_their_own_texts(start, resumes, by_tap):
    rows = [
        asking("a", "shallow", "deep"),
        asking("c" * 40, "deep"),
        asking("b", "shallow"),
        asking("a", "deep"),
        asking("d", "middle"),
        asking("e", *ALL, "same", pair="z"),
    ]

    found = collected(start(*rows, registry=COMPACTED, resumes=resumes, by_tap=by_tap))

    asked = {task: [number for number, row in enumerate(rows) if task in row.tasks] for task in (*ALL, "same")}
    assert {task: sorted(by_row) for task, by_row in found.items()} == asked
    for by_row in found.values():
        assert {row: answer["score"] for row, answer in by_row.items()} == {
            row: score(rows[row].text[0]) for row in by_row
        }
    assert {answer["version"] for answer in found["shallow"].values()} == {3}


def test_all_tasks_of_a_group_are_one_call(start, models):
    collected(start(*(asking(text, *ALL) for text in TEXTS), registry=COMPACTED))

    assert _calls(models) == [("fused", 5, ["logits_shallow", "logits_middle", "logits_deep"])]


def test_one_task_asked_is_no_more_than_that(start, models):
    collected(start(asking("a", "middle"), registry=COMPACTED))

    assert _calls(models) == [("fused", 5, ["logits_middle"])]


def test_a_stream_s_shallow_task_is_answered_before_the_deeper_layers_are_computed(start, models):
    models.held["logits_deep"] = threading.Event()
    answers = start(asking("a", *ALL), registry=COMPACTED, by_tap=True).answers()

    assert {next(answers)[0], next(answers)[0]} == {"shallow", "middle"}

    models.held["logits_deep"].set()
    assert [task for task, _ in answers] == ["deep"]
    assert _calls(models) == [
        ("fused", 5, ["hidden_2", "logits_shallow"]),
        ("fused", 5, ["hidden_4", "logits_middle"]),
        ("fused", 5, ["logits_deep"]),
    ]


def test_a_version_published_since_runs_as_its_branch_on_the_hidden_states_of_the_fused_graph(start, models):
    new = replace(MIDDLE, number=2)

    found = collected(start(asking("a", *ALL), asking("b", "shallow"), registry=_with(Task(new))))

    assert _calls(models) == [
        ("fused", 5, ["hidden_4", "logits_shallow", "logits_deep"]),
        ("branch_middle", 2, ["logits"]),
    ]
    assert found["middle"][0]["version"] == 2
    assert found["middle"][0]["score"] == score("a")


def test_a_tap_that_came_since_is_computed_by_the_trunk_from_the_nearest_one_below(start, models):
    new = replace(MIDDLE, number=2, tap=5)

    found = collected(start(asking("a", *ALL), asking("b", "shallow"), registry=_with(Task(new))))

    assert sorted(_calls(models)) == [
        ("branch_middle", 2, ["logits"]),
        ("fused", 5, ["hidden_2", "logits_shallow", "logits_deep"]),
        ("trunk", -1, ["hidden_5"]),
    ]
    assert found["middle"][0]["score"] == score("a")


@pytest.mark.parametrize("resumes", [True, False])
def test_a_canary_outside_answers_for_its_share_and_the_live_version_inside_for_the_others(start, resumes):
    canary = Canary(replace(SHALLOW, number=4, model="branch_new"), 0.5, 0.1, 50, 2)
    registry = _with(Task(SHALLOW, canary))
    candidates = Candidates(registry)

    rows = [asking(text, "shallow") for text in TEXTS]
    found = collected(start(*rows, registry=registry, candidates=candidates, resumes=resumes))

    of_canary = [row for row, text in enumerate(TEXTS) if canary.answers_for(text, None)]
    assert 0 < len(of_canary) < len(TEXTS)
    assert [row for row in sorted(found["shallow"]) if found["shallow"][row]["version"] == 4] == of_canary
    assert {row: answer["score"] for row, answer in found["shallow"].items()} == {
        row: score(text) for row, text in enumerate(TEXTS)
    }
    assert candidates.outcomes[canary.version].answers == len(of_canary)
    assert candidates.outcomes[canary.version].live_labels.keys() == set(range(len(TEXTS))) - set(of_canary)


@pytest.mark.parametrize("difference", [{}, {"tap": 6}, {"tap": 5}, {"trunk": "trunk.2"}])
def test_every_answer_is_there_while_a_shadow_is_still_computed(start, models, difference):
    shadow = replace(SHALLOW, number=4, model="branch_new", **difference)
    candidates = Candidates(_with(Task(SHALLOW, shadow=shadow)))
    registry = replace(_with(Task(SHALLOW, shadow=shadow)), tokenizers=dict.fromkeys(("trunk", "trunk.2"), "tokenizer"))
    models.held["branch_new"] = threading.Event()
    answers = start(asking("a", "shallow", "middle"), registry=registry, candidates=candidates).answers()

    assert {next(answers)[0], next(answers)[0]} == {"shallow", "middle"}

    models.held["branch_new"].set()
    assert list(answers) == []
    assert candidates.outcomes[shadow].compared == 1


def test_an_older_version_that_a_rollback_took_back_runs_in_the_fused_graph_again(start, models):
    shadow = replace(SHALLOW, number=4)
    registry = _with(Task(shadow, shadow=SHALLOW))  # live outside, its shadow inside
    candidates = Candidates(registry)

    found = collected(start(asking("a", "shallow"), registry=registry, candidates=candidates))

    assert found["shallow"][0]["version"] == 4
    assert candidates.outcomes[SHALLOW].compared == 1
    assert sorted(_calls(models)) == [
        ("branch_shallow", 4, ["logits"]),
        ("fused", 5, ["hidden_2", "logits_shallow"]),
    ]


def test_logits_that_are_not_finite_fail_their_own_task_alone(start, models):
    models.failing.add("logits_middle nan")

    found = collected(start(asking("a", *ALL), registry=COMPACTED))

    assert "branch of middle failed" in found["middle"][0]["error"]
    assert (found["shallow"][0]["score"], found["deep"][0]["score"]) == (score("a"), score("a"))


@pytest.mark.parametrize("error", [DeadError("fused: Stub process is not healthy."), RuntimeError("it is refused")])
@pytest.mark.parametrize("by_tap", [True, False])
def test_what_a_fused_graph_cannot_compute_is_computed_by_models_that_are_loaded(start, models, error, by_tap):
    models.errors["logits_deep"] = error

    found = collected(start(asking("a", *ALL), asking("b", "deep"), registry=COMPACTED, by_tap=by_tap))

    assert {task: sorted(by_row) for task, by_row in found.items()} == {"shallow": [0], "middle": [0], "deep": [0, 1]}
    assert found["deep"][1]["score"] == score("b")
    assert "branch_deep" in models.branches()
    assert ("branch_shallow" in models.branches()) is not by_tap, "in a stream it was answered before"


def test_a_task_whose_branch_model_is_not_loaded_is_unavailable_while_the_others_are_answered(start, models):
    models.errors |= {"fused": DeadError("dead"), "branch_middle": NotLoadedError("branch_middle is not ready")}

    found = collected(start(asking("a", *ALL), registry=COMPACTED))

    assert found["middle"][0]["unavailable"]
    assert (found["shallow"][0]["score"], found["deep"][0]["score"]) == (score("a"), score("a"))


@pytest.mark.usefixtures("uncompacted")
def test_where_nothing_else_is_loaded_a_dead_fused_graph_fails_the_run_as_unavailable_and_is_asked_once(start, models):
    models.errors["fused"] = DeadError("fused: Stub process is not healthy.")

    for sentence in ("Stub process is not healthy", "fused has died and is being brought back"):
        with pytest.raises(UnavailableError, match=sentence):
            collected(start(asking("a", *ALL), registry=COMPACTED))


def test_that_the_server_stops_is_not_tried_again_elsewhere(start, models):
    models.errors["fused"] = StoppingError("Server is stopping")

    with pytest.raises(StoppingError):
        collected(start(asking("a", *ALL), registry=COMPACTED))

    assert [call.model for call in models.calls] == ["fused"]


def test_nobody_waits_for_a_fused_graph_that_dies_during_the_call(start, models, breakers):
    models.held["fused"] = threading.Event()
    answers = start(asking("a", *ALL), registry=COMPACTED).answers()
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(list, answers)
        models.wait_for("fused")

        breakers._died(("fused", 5))

        answered = dict(found.result(PATIENCE))
    assert {task: json.loads(by_row[0])["score"] for task, by_row in answered.items()} == dict.fromkeys(ALL, score("a"))
    assert not models.held["fused"].is_set(), "the call is still under way"
    models.held["fused"].set()


def test_rows_whose_callers_are_gone_are_not_asked_for(start, models):
    rows = asking("a", "deep", caller=GONE), asking("b", "shallow")

    found = collected(start(*rows, registry=COMPACTED))

    assert {task: list(by_row) for task, by_row in found.items()} == {"shallow": [1]}
    assert [call.inputs["input_ids"].shape[0] for call in models.calls] == [1]


def test_a_caller_who_goes_on_the_way_stops_a_stream(start, models):
    caller = SimpleNamespace(is_gone=False, id="7")
    models.held["hidden_2"] = threading.Event()
    answers = start(asking("a", "shallow", "deep", caller=caller), registry=COMPACTED, by_tap=True).answers()
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(list, answers)
        models.wait_for("fused")
        caller.is_gone = True
        models.held["hidden_2"].set()
        found.result(PATIENCE)

    assert len(models.calls) == 1


class Counted:
    """Stands in for the metrics: what was counted."""

    def __init__(self, metrics):
        self._metrics = metrics
        self.depths = {}
        self.seconds = {}
        self.trunk = 0.0

    def __getattr__(self, name):
        return getattr(self._metrics, name)

    def count_depth(self, sequences, tap):
        self.depths[tap] = self.depths.get(tap, 0) + sequences

    def count_trunk(self, seconds):
        self.trunk += seconds

    def count_answers(self, version, texts, labels, seconds):  # noqa: ARG002
        self.seconds[version.task] = seconds


@pytest.mark.parametrize("by_tap", [True, False])
def test_a_call_s_seconds_are_shared_by_layers_and_each_sequence_counts_up_to_its_own_tap(start, metrics, by_tap):
    rows = [asking("a", "shallow", "deep"), asking("b", "shallow")]
    run = start(*rows, registry=COMPACTED, by_tap=by_tap, layers=lambda version: version.tap)
    counted = Counted(metrics)
    run._with = run._delivery._with = replace(run._with, metrics=counted)

    collected(run)

    assert counted.depths == {2: 1, 6: 1}
    if not by_tap:  # one call: 2 * 2 layers of shallow, 6 of deep, 2 + 6 of the trunk
        layer = counted.seconds["deep"] / 6
        assert counted.seconds["shallow"] == pytest.approx(4 * layer)
        assert counted.trunk == pytest.approx(8 * layer)
