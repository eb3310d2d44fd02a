"""The parity check of a trunk and a branch in any precision."""

from build_tools.golden.answer_parity import check_answers
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from build_tools.golden.runnable import Runnable


def check_golden(golden: GoldenBatch, trunk: Runnable, branch: Runnable, exact: bool) -> None:
    """Runs the golden examples through trunk and branch.

    exact: both compute in float32, so every logit must agree to 1e-3; else only the answers must agree.
    Raises BuildError, naming the first example that differs.
    """
    if exact:
        check_logits(golden, trunk, branch)
    else:
        check_answers(golden, trunk, branch)
