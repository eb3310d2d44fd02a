from contextlib import nullcontext

import numpy as np
import pytest

from build_tools.errors import BuildError
from build_tools.golden.token_parity import check_tokens
from build_tools.repository.golden_examples import GoldenExamples
from build_tools.repository.names import TRUNK_INPUTS
from training.kinds import Kind


class _Graph:
    def __init__(self, **outputs):
        self._outputs = outputs

    def run(self, _inputs, asked):
        return {name: self._outputs[name] for name in asked}


def _check(kind, expected, computed, exact=False, words=None):
    expected, computed = np.array(expected, np.float32), np.array(computed, np.float32)
    shape = expected.shape[:2] if kind is Kind.TAGGING else (len(expected), 4)
    inputs = {name: np.ones(shape, np.int64) for name in TRUNK_INPUTS}
    if words is not None:
        words = np.array(words, bool)
        inputs["attention_mask"] = np.array([[1] * (shape[1] - 1) + [0]] * shape[0])
    examples = GoldenExamples(inputs, expected, words, float(np.ptp(expected)))
    trunk, branch = _Graph(hidden_2=np.zeros((*shape, 8), np.float32)), _Graph(logits=computed)
    return check_tokens(examples, kind, 2, trunk, branch, exact)


def test_in_float32_every_logit_has_to_agree_to_a_thousandth():
    assert _check(Kind.CLASSIFICATION, [[1, 2]], [[1, 2.0009]], exact=True) == pytest.approx(0.0009, abs=1e-6)
    with pytest.raises(BuildError, match=r"golden example 2: a logit differs by 0\.01"):
        _check(Kind.CLASSIFICATION, [[1, 2], [1, 2]], [[1, 2], [1, 2.01]], exact=True)
    with pytest.raises(BuildError, match="golden example 1"):
        _check(Kind.CLASSIFICATION, [[1, 2]], [[1, np.nan]], exact=True)


@pytest.mark.parametrize(
    ("kind", "expected", "same", "other"),
    [
        (Kind.CLASSIFICATION, [[1, 2]], [[1.9, 2]], [[2.1, 2]]),
        (Kind.PAIR_CLASSIFICATION, [[1, 2]], [[1.9, 2]], [[1, np.inf]]),
        (Kind.MULTI_LABEL, [[1, -1, 2]], [[0.1, -0.1, 1]], [[-0.1, -1, 2]]),
        (Kind.MULTI_LABEL, [[1, -1, 2]], [[0.1, -0.1, 1]], [[1, -1, np.nan]]),
        (Kind.PAIR_REGRESSION, [[0], [5]], [[0.09], [5]], [[0.11], [5]]),
        (Kind.PAIR_REGRESSION, [[0], [5]], [[0.09], [5]], [[0], [np.nan]]),
    ],
)
def test_in_lower_precisions_only_the_answers_have_to_agree(kind, expected, same, other):
    _check(kind, expected, same)
    with pytest.raises(BuildError, match="another answer"):
        _check(kind, expected, other)


def test_of_tags_only_those_of_words_first_sub_words_count_and_padding_never():
    expected = [[[1, 0], [1, 0], [0, 1], [0, 0]]]
    words = [[True, False, True, False]]

    _check(Kind.TAGGING, expected, [[[1, 0], [0, 1], [0, 1], [9, 9]]], words=words)
    _check(Kind.TAGGING, expected, [[[1, 0], [1, 0], [0, 1], [9, np.nan]]], exact=True, words=words)
    with pytest.raises(BuildError, match="another answer"):
        _check(Kind.TAGGING, expected, [[[0, 1], [1, 0], [0, 1], [9, 9]]], words=words)
    with pytest.raises(BuildError, match="differs by 1"):
        _check(Kind.TAGGING, expected, [[[1, 0], [0, 0], [0, 1], [0, 0]]], exact=True, words=words)


@pytest.mark.parametrize(
    ("kind", "tie", "lead"),
    [
        (Kind.CLASSIFICATION, [[0, 20], [0.51, 0.5]], [[0, 5], [0.51, 0.5]]),
        (Kind.MULTI_LABEL, [[20, -0.01], [1, 1]], [[5, -0.01], [1, 1]]),
    ],
)
def test_a_tie_may_change_as_where_it_was_built(kind, tie, lead):
    other = {Kind.CLASSIFICATION: (1, [0.5, 0.51]), Kind.MULTI_LABEL: (0, [5, 0.01])}
    row, logits = other[kind]
    for expected, agrees in ((tie, True), (lead, False)):
        computed = [*expected]
        computed[row] = logits
        with nullcontext() if agrees else pytest.raises(BuildError, match="another answer"):
            _check(kind, expected, computed)
