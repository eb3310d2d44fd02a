from types import SimpleNamespace

import pytest

from build_tools.errors import BuildError
from build_tools.precision import choose_for_branch
from build_tools.precision.choose_for_branch import choose_branch_precision
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime

BF16, FP32, INT8 = Precision.BF16, Precision.FP32, Precision.INT8


@pytest.fixture
def loaded():
    """The precisions in which the branch was loaded."""
    return []


@pytest.fixture
def choose(monkeypatch, loaded):
    """choose(wanted, trunk's precision, {precision: ms}, precisions with other answers) -> chosen, reports"""

    def choose(wanted, trunk=FP32, ms=None, wrong=()):
        def load(precision):
            loaded.append(precision)
            return precision

        def check_answers(_golden, _trunk, branch):
            if branch in wrong:
                raise BuildError("example 3 is a in place of b")

        monkeypatch.setattr(choose_for_branch, "available_precisions", lambda one, _: list(ms or [one]))
        monkeypatch.setattr(choose_for_branch, "check_answers", check_answers)
        monkeypatch.setattr(choose_for_branch, "branch_ms", lambda *_: ms)
        graph = SimpleNamespace(runtime=Runtime.OPENVINO, load=load)
        said = []
        return choose_branch_precision(wanted, None, graph, None, trunk, said.append), said

    return choose


def test_fp32_on_fp32_was_proved_before_and_is_not_loaded_again(choose, loaded):
    assert choose(FP32) == (FP32, [])
    assert loaded == []


@pytest.mark.parametrize(("wanted", "trunk"), [(INT8, FP32), (FP32, BF16)])
def test_what_is_asked_for_must_give_the_golden_answers_on_the_trunk_that_serves(choose, wanted, trunk):
    assert choose(wanted, trunk) == (wanted, [])
    with pytest.raises(BuildError, match=f"does not pass in {wanted} on .* example 3 is a in place of b"):
        choose(wanted, trunk, wrong=[wanted])


def test_of_auto_the_fastest_that_gives_the_golden_answers_is_chosen_and_the_refused_are_told(choose):
    chosen, said = choose(Precision.AUTO, ms={FP32: 4.0, BF16: 2.0, INT8: 1.0}, wrong=[INT8])

    assert chosen is BF16
    assert said == ["not int8: example 3 is a in place of b", "bf16 (fp32 4.00 ms, bf16 2.00 ms, int8 1.00 ms)"]


def test_a_lower_precision_that_is_hardly_faster_is_not_worth_its_rounding(choose):
    assert choose(Precision.AUTO, ms={FP32: 4.0, BF16: 3.8})[0] is FP32


def test_a_branch_that_gives_them_in_no_precision_is_refused(choose):
    with pytest.raises(BuildError, match="the branch gives its golden answers in no precision"):
        choose(Precision.AUTO, trunk=BF16, ms={FP32: 4.0, BF16: 2.0}, wrong=[FP32, BF16])
