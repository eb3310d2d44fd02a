"""How long trunk and branches take for some of a checkpoint's golden examples."""

from collections.abc import Mapping
from functools import partial

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.runnable import Runnable
from build_tools.precision.timing import median_ms
from build_tools.repository.precision import Precision

TIMED_ROWS = 8  # a middling batch: lower precisions gain less on one text, and more on many
_WORTH = 1.1  # minimum speed-up over fp32; less is noise, and not worth its rounding


def trunk_ms(golden: GoldenBatch, trunks: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """Returns the median time of each trunk in ms, up to the checkpoint's tap."""
    return median_ms({precision: partial(golden.hidden, trunk, TIMED_ROWS) for precision, trunk in trunks.items()})


def branch_ms(golden: GoldenBatch, trunk: Runnable, branches: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """Returns the median time of each branch in ms, on hidden states that the trunk computed."""
    inputs = golden.branch_inputs(golden.hidden(trunk, TIMED_ROWS))
    return median_ms({precision: partial(branch.run, inputs, ["logits"]) for precision, branch in branches.items()})


def weighed(times: Mapping[Precision, float]) -> dict[Precision, float]:
    """Returns the times that rank precisions: those below fp32 are made longer by the speed-up they must bring."""
    return {precision: taken if precision is Precision.FP32 else _WORTH * taken for precision, taken in times.items()}
