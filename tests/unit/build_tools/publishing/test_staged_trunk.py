from types import SimpleNamespace

import numpy as np
import pytest

from build_tools.errors import BuildError
from build_tools.publishing.staged_trunk import check_same_states

MASK = np.array([[1, 1, 1], [1, 1, 0]])


@pytest.fixture
def check():
    """Holds a new trunk's hidden_2 [2, 3, 4], for the second of two tasks' examples, against zeros."""
    examples = [SimpleNamespace(inputs={"attention_mask": MASK, "task": task}) for task in (1, 2)]
    plan = SimpleNamespace(name="trunk", present=SimpleNamespace(taps=[2]))
    zeros = np.zeros((2, 3, 4), np.float32)

    def trunk(hidden):
        return SimpleNamespace(run=lambda inputs, names: dict.fromkeys(names, hidden if inputs["task"] == 2 else zeros))

    return lambda hidden: check_same_states(examples, trunk(zeros), trunk(hidden), plan)


@pytest.mark.parametrize("wrong", [0.01, np.nan])
def test_a_new_trunk_that_computes_another_hidden_state_of_one_token_of_any_task_is_refused(check, wrong):
    hidden = np.zeros((2, 3, 4), np.float32)
    hidden[1, 1, 3] = wrong

    with pytest.raises(BuildError, match=r"new version of trunk differs .* at hidden_2"):
        check(hidden)


def test_what_a_new_trunk_puts_at_padding_means_nothing(check):
    hidden = np.zeros((2, 3, 4), np.float32)
    hidden[1, 2] = 7

    check(hidden)
