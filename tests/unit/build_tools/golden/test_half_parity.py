from types import SimpleNamespace

import numpy as np

from build_tools.golden.half_parity import too_far


def _told(computed):
    expected = [np.array([-5.0, 5.0]), np.array([1.0, 0.0])]
    golden = SimpleNamespace(expected=expected, examples=[SimpleNamespace(text="a b"), SimpleNamespace(text="c d")])
    return too_far(golden, [np.array(row) for row in computed])


def test_a_logit_may_differ_by_2_percent_of_the_golden_range():
    assert _told([[-5.19, 5.0], [1.0, 0.19]]) is None
    assert (
        _told([[-5.19, 5.0], [1.0, 0.21]])
        == "golden example 2 ('c d'): a logit differs by 0.21; in fp16 at most 0.2 is allowed"
    )


def test_a_logit_that_is_no_number_is_too_far():
    assert _told([[float("inf"), 5.0], [1.0, 0.0]]) is not None
