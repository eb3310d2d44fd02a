"""Which precision trunk and branches get."""

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
    """What is wanted, once it has passed; of auto the fastest that passes.

    To pass is to give the golden answers, and with a folder in `data` to keep the task's dev metric.
    Raises BuildError if the precision that is asked for does not pass, naming task, example and answers.
    """
    tried = available_precisions(wanted, graphs.trunk.runtime)
    if wanted is Precision.AUTO:
        return fastest_precisions(tried, graphs, data, report)
    if wanted is not Precision.FP32 or data:  # in fp32 there is nothing to check but what data adds
        _check_all(wanted, graphs, data, report)
    return Precisions(wanted, {checkpoint.record.task: wanted for checkpoint, _ in graphs.branches})


def _check_all(wanted: Precision, graphs: Graphs, data: Mapping[str, Path], report: Callable[[str], None]) -> None:
    loaded = {wanted, Precision.FP32} if data else {wanted}
    trunks = {precision: graphs.trunk.load(precision) for precision in loaded}
    pair = (wanted, wanted)
    for checkpoint, graph in graphs.branches:
        attempt = Attempt(checkpoint, graph, trunks, data.get(checkpoint.record.task))
        attempt.compare_answers({wanted: graph.load(wanted)}, [pair])
        if not attempt.passes(pair):
            raise BuildError(
                f"{attempt.task} does not pass in {wanted}: {attempt.refusals[pair]}. Use --precision auto, which "
                "gives each branch the fastest precision that passes, or fp32. Nothing was put in place."
            )
        report(f"{attempt.task}: same answers in {wanted}{attempt.dev_report(pair)}")
