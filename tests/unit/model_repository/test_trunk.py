import numpy as np
import pytest
from router.padded_group import PaddedGroup
from router.registry import Fused, Version
from router.route import route
from router.states import States

SHALLOW, DEEP = (
    Version(task, 1, "classification", ("a", "b"), tap, 64, f"branch_{task}", "trunk")
    for task, tap in (("shallow", 2), ("deep", 4))
)
FUSED = Fused("fused", 3, {"deep": 1, "gone": 5, "shallow": 1}, (2, 4))
PLACES = {SHALLOW: {0: 0, 1: 1}, DEEP: {1: 1, 2: 2}}


@pytest.fixture
def calls(trunk_module, monkeypatch):
    """The calls: (model, version, inputs, outputs). Each output is the number of its rows."""
    calls = []

    def infer(model, version, inputs, outputs):
        calls.append((model, version, inputs, list(outputs)))
        return {name: np.arange(3.0) for name in outputs}

    monkeypatch.setattr(trunk_module, "infer", infer)
    return calls


@pytest.fixture
def group():
    """Three sequences of two tokens."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    return PaddedGroup([None] * 3, {name: np.arange(6).reshape(3, 2) for name in names})


def _steps(fused, resumes, by_tap=False):
    (first,) = route(PLACES, fused, resumes, by_tap, lambda _: True)
    return [first, *first.then]


@pytest.mark.parametrize(("value", "resumes"), [("1", True), ("0", False), (None, False)])
def test_only_a_server_that_says_so_has_models_that_go_on(trunk_module, monkeypatch, value, resumes):
    monkeypatch.delenv("ESPALIER_TRUNK_RESUMES", raising=False)
    if value is not None:
        monkeypatch.setenv("ESPALIER_TRUNK_RESUMES", value)

    assert trunk_module.Trunk.from_environment().resumes == resumes


def test_a_step_of_the_trunk_goes_on_with_the_sequences_that_go_higher(trunk_module, calls, group):
    trunk = trunk_module.Trunk(resumes=True)
    to_shallow, to_deep = _steps(None, resumes=True)

    below = trunk.run(to_shallow, group, PLACES, None)
    above = trunk.run(to_deep, group, PLACES, below.hidden[2])

    assert [(model, version, outputs) for model, version, _, outputs in calls] == [
        ("trunk", -1, ["hidden_2"]),
        ("trunk", -1, ["hidden_4"]),
    ]
    assert calls[0][2] == group.arrays
    assert sorted(calls[1][2]) == ["attention_mask", "hidden_2", "input_ids", "token_type_ids"]
    assert calls[1][2]["hidden_2"].tolist() == [1, 2]
    assert calls[1][2]["input_ids"].tolist() == [[2, 3], [4, 5]]
    assert above.depths == {1: 4, 2: 4}


def test_a_fused_graph_is_asked_for_each_sequence_s_own_tasks(trunk_module, calls, group):
    (step,) = _steps(FUSED, resumes=True)

    reached = trunk_module.Trunk(resumes=True).run(step, group, PLACES, None)

    ((model, version, inputs, outputs),) = calls
    assert (model, version, outputs) == ("fused", 3, ["logits_shallow", "logits_deep"])
    assert inputs["asked"].tolist() == [  # deep, gone, shallow, taps 2 and 4
        [False, False, True, False, False],
        [True, False, True, False, False],
        [True, False, False, False, False],
    ]
    assert {version.task: states.places for version, states in reached.logits.items()} == {
        "shallow": [0, 1],
        "deep": [1, 2],
    }
    assert reached.depths == {0: 2, 1: 4, 2: 4}


def test_a_fused_graph_goes_on_from_hidden_states_without_tokens(trunk_module, calls, group):
    trunk = trunk_module.Trunk(resumes=True)
    to_shallow, to_deep = _steps(FUSED, resumes=True, by_tap=True)

    below = trunk.run(to_shallow, group, PLACES, None)
    trunk.run(to_deep, group, PLACES, States([1, 2], below.hidden[2].array[:2]))

    assert calls[0][3] == ["hidden_2", "logits_shallow"]
    assert calls[0][2]["asked"][:, 3].tolist() == [False, True, True]
    assert sorted(calls[1][2]) == ["asked", "attention_mask", "hidden_2"]
    assert calls[1][3] == ["logits_deep"]


def test_a_backend_that_cannot_go_on_computes_all_sequences_and_is_sent_no_more_than_tokens(trunk_module, calls, group):
    (step,) = _steps(FUSED, resumes=False)

    reached = trunk_module.Trunk(resumes=False).run(step, group, PLACES, None)

    ((_, _, inputs, outputs),) = calls
    assert sorted(inputs) == ["attention_mask", "input_ids", "token_type_ids"]
    assert outputs == ["logits_shallow", "logits_deep"]
    assert all(states.places == [0, 1, 2] for states in reached.logits.values())
    assert set(reached.depths.values()) == {4}
