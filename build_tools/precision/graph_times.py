"""What trunk and branches take for some of a checkpoint's golden examples."""

from collections.abc import Mapping
from functools import partial

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden.golden_batch import GoldenBatch, Runnable
from build_tools.precision.timing import median_ms
from build_tools.repository.precision import Precision
from training.checkpoint import Checkpoint

TIMED_ROWS = 8  # a middling batch: lower precisions gain less on one text, and more on many
_WORTH = 1.1  # minimum speed-up over fp32; less is noise, and not worth its rounding


def trunk_ms(checkpoint: Checkpoint, trunks: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """The time of each trunk, up to the checkpoint's tap."""
    batch = GoldenBatch(checkpoint)
    return median_ms({precision: partial(batch.hidden, trunk, TIMED_ROWS) for precision, trunk in trunks.items()})


def branch_ms(checkpoint: Checkpoint, trunk: Runnable, branches: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """The time of each branch on what the trunk puts out."""
    batch = GoldenBatch(checkpoint)
    inputs = batch.branch_inputs(batch.hidden(trunk, TIMED_ROWS))
    return median_ms({precision: partial(branch.run, inputs, ["logits"]) for precision, branch in branches.items()})


def weighed(times: Mapping[Precision, float]) -> dict[Precision, float]:
    """The times by which precisions are ranked: a lower one's made longer by what it must gain."""
    return {precision: taken if precision is Precision.FP32 else _WORTH * taken for precision, taken in times.items()}
