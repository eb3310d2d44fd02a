"""The precision of one new branch on a trunk whose own is given."""

from collections.abc import Callable

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import Runnable
from build_tools.golden.parity import check_golden
from build_tools.precision.graph import Graph
from build_tools.precision.graph_times import branch_ms, weighed
from build_tools.precision.hardware import available_precisions
from build_tools.repository.precision import Precision
from training.checkpoint import Checkpoint


def choose_branch_precision(
    wanted: Precision,
    checkpoint: Checkpoint,
    graph: Graph,
    trunk: Runnable,
    trunk_precision: Precision,
    report: Callable[[str], None],
) -> Precision:
    """What is wanted, once it gives the golden answers on this trunk; of auto the fastest that does.

    fp32 on a trunk of fp32 is taken to have been proved. Raises BuildError if what is asked for does not give them,
    naming example and answers.
    """
    tried = available_precisions(wanted, graph.runtime)
    if wanted is not Precision.AUTO:
        if (wanted, trunk_precision) != (Precision.FP32, Precision.FP32):
            check_golden(checkpoint, trunk, graph.load(wanted), exact=False)
        return wanted
    loaded = {precision: graph.load(precision) for precision in tried}
    times = branch_ms(checkpoint, trunk, loaded)
    for precision in sorted(tried, key=weighed(times).__getitem__):
        try:
            check_golden(checkpoint, trunk, loaded[precision], exact=False)
        except BuildError as refusal:
            report(f"not {precision}: {refusal}")
        else:
            report(f"{precision} ({', '.join(f'{one} {ms:.2f} ms' for one, ms in times.items())})")
            return precision
    raise BuildError("in no precision does the branch give its golden answers on this trunk.")
