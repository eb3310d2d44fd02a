"""The precision of one new branch, on a trunk whose precision is given."""

from collections.abc import Callable

from build_tools.errors import BuildError
from build_tools.golden.answer_parity import check_answers
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.half_parity import check_near
from build_tools.golden.runnable import Runnable
from build_tools.precision.graph import Graph
from build_tools.precision.graph_times import branch_ms, weighed
from build_tools.precision.hardware import available_precisions
from build_tools.repository.precision import Precision


def choose_branch_precision(
    wanted: Precision,
    golden: GoldenBatch,
    graph: Graph,
    trunk: Runnable,
    trunk_precision: Precision,
    report: Callable[[str], None],
) -> Precision:
    """Returns `wanted` if it gives the golden answers on this trunk; for auto, the fastest precision that does.

    graph: the branch. The caller has checked fp32 on an fp32 trunk, which says more; that is not repeated.
    report: for auto, told what was refused and why, and what was chosen.
    Raises BuildError, naming example and answers, if `wanted` does not give them.
    """
    tried = available_precisions(wanted, graph.runtime)
    if wanted is not Precision.AUTO:
        if (wanted, trunk_precision) != (Precision.FP32, Precision.FP32):
            try:
                alone = graph.load(wanted)
                check_answers(golden, trunk, alone)
                if wanted is Precision.FP16:
                    check_near(golden, trunk, alone)
            except BuildError as refusal:
                advice = "" if wanted is Precision.FP32 else " Use --precision auto or fp32."
                said = f"it does not pass in {wanted} on a trunk in {trunk_precision}: {refusal}.{advice}"
                raise BuildError(said) from refusal
        return wanted
    loaded = {precision: graph.load(precision) for precision in tried}
    times = branch_ms(golden, trunk, loaded)
    for precision in sorted(tried, key=weighed(times).__getitem__):
        try:
            check_answers(golden, trunk, loaded[precision])
        except BuildError as refusal:
            report(f"not {precision}: {refusal}")
        else:
            report(f"{precision} ({', '.join(f'{one} {ms:.2f} ms' for one, ms in times.items())})")
            return precision
    raise BuildError("the branch gives its golden answers in no precision on this trunk.")
