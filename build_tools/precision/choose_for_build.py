"""The precisions of a new repository's trunk and branches."""

from collections.abc import Callable, Mapping
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.precision.attempt import Attempt
from build_tools.precision.fastest_passing import Precisions, fastest_precisions
from build_tools.precision.graph import Graphs
from build_tools.precision.hardware import available_precisions
from build_tools.repository.precision import Precision


def choose_precisions(
    wanted: Precision, graphs: Graphs, data: Mapping[str, Path], report: Callable[[str], None]
) -> Precisions:
    """Returns `wanted` for the trunk and every branch if it passes; for auto, the fastest precisions that pass.

    A precision passes if it gives the golden answers and, for a task with a folder in `data`, keeps the dev metric.
    Raises BuildError, naming task, example and answers, if `wanted` does not pass.
    """
    tried = available_precisions(wanted, graphs.trunk.runtime)
    if wanted is Precision.AUTO:
        return fastest_precisions(tried, graphs, data, report)
    if wanted is not Precision.FP32 or data:  # fp32 has passed logit parity: only the dev metric is left to report
        _check_all(wanted, graphs, data, report)
    return Precisions(wanted, {branch.task: wanted for branch in graphs.branches})


def _check_all(wanted: Precision, graphs: Graphs, data: Mapping[str, Path], report: Callable[[str], None]) -> None:
    loaded = {wanted, Precision.FP32} if data else {wanted}
    trunks = {precision: graphs.trunk.load(precision) for precision in loaded}
    pair = (wanted, wanted)
    for branch in graphs.branches:
        attempt = Attempt(branch, trunks, data.get(branch.task))
        attempt.compare_answers({wanted: branch.graph.load(wanted)}, [pair])
        if not attempt.passes(pair):
            raise BuildError(
                f"{attempt.task} does not pass in {wanted}: {attempt.refusals[pair]}. Use --precision auto, which "
                "gives each branch the fastest precision that passes, or fp32. Nothing was put in place."
            )
        report(f"{attempt.task}: same answers in {wanted}{attempt.dev_report(pair)}")
