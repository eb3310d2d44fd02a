"""A checkpoint's golden examples, through any trunk and branch."""

from build_tools.errors import BuildError
from build_tools.golden.answer_parity import first_difference
from build_tools.golden.golden_batch import GoldenBatch, Runnable
from build_tools.golden.logit_parity import check_logits
from training.checkpoint import Checkpoint


def check_golden(checkpoint: Checkpoint, trunk: Runnable, branch: Runnable, exact: bool) -> None:
    """exact: both compute in float32, and every logit is held to 1e-3; else the answers are compared.

    Raises BuildError, naming the example, where they do not agree.
    """
    if exact:
        check_logits(checkpoint, trunk, branch)
        return
    batch = GoldenBatch(checkpoint)
    difference = first_difference(checkpoint.record, batch, batch.logits(batch.hidden(trunk), branch))
    if difference is not None:
        raise BuildError(difference)
