import numpy as np
import pytest


@pytest.fixture
def calls(trunk_module, monkeypatch):
    """The calls: (model, inputs, outputs)."""
    calls = []

    def infer(model, version, inputs, outputs):
        assert version == -1
        calls.append((model, sorted(inputs), list(outputs)))
        return {name: np.zeros(1) for name in outputs}

    monkeypatch.setattr(trunk_module, "infer", infer)
    return calls


def test_a_trunk_that_goes_on_is_called_once_per_tap_the_shallow_ones_first(trunk_module):
    assert trunk_module.Trunk(resumes=True).steps([7, 2, 4]) == [[2], [4], [7]]


def test_a_trunk_that_does_not_is_called_once_for_all_taps(trunk_module):
    assert trunk_module.Trunk(resumes=False).steps([7, 2, 4]) == [[2, 4, 7]]


@pytest.mark.parametrize(("value", "resumes"), [("1", True), ("0", False), (None, False)])
def test_only_a_server_that_says_so_has_a_trunk_that_goes_on(trunk_module, monkeypatch, value, resumes):
    monkeypatch.delenv("ESPALIER_TRUNK_RESUMES", raising=False)
    if value is not None:
        monkeypatch.setenv("ESPALIER_TRUNK_RESUMES", value)

    assert len(trunk_module.Trunk.from_environment().steps([2, 4])) == (2 if resumes else 1)


def test_a_step_is_given_what_the_step_before_it_came_to_and_asked_for_its_own_taps_only(trunk_module, calls):
    trunk = trunk_module.Trunk(resumes=True)
    arrays = {"input_ids": np.zeros(1), "attention_mask": np.zeros(1)}

    below = trunk.run("trunk.2", arrays, {}, [2])
    above = trunk.run("trunk.2", arrays, below, [4])

    assert (list(below), list(above)) == (["hidden_2"], ["hidden_4"])
    assert calls == [
        ("trunk.2", ["attention_mask", "input_ids"], ["hidden_2"]),
        ("trunk.2", ["attention_mask", "hidden_2", "input_ids"], ["hidden_4"]),
    ]
