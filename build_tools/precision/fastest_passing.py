"""`--precision auto`: the precisions of trunk and branches that pass, and with which all of it is fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from build_tools.precision.attempt import Attempt
from build_tools.precision.graph import Graphs
from build_tools.precision.graph_times import TIMED_ROWS, branch_ms, trunk_ms, weighed
from build_tools.repository.precision import Precision

Milliseconds = Mapping[Precision, float]


@dataclass(frozen=True)
class Precisions:
    """What was chosen: for the trunk, and for each task's branch."""

    trunk: Precision
    branches: Mapping[str, Precision]


@dataclass(frozen=True)
class Times:
    """What trunk and branches take in each precision."""

    trunk: Milliseconds
    branches: Mapping[str, Milliseconds]

    def total(self, precisions: Precisions) -> float:
        """ms for the trunk and all branches."""
        branches = (self.branches[task][precision] for task, precision in precisions.branches.items())
        return self.trunk[precisions.trunk] + sum(branches)

    def weighed(self) -> "Times":
        """The same with lower precisions made slower by what they must gain."""
        return Times(weighed(self.trunk), {task: weighed(ms) for task, ms in self.branches.items()})


def fastest_precisions(
    tried: Sequence[Precision], graphs: Graphs, data: Mapping[str, Path], report: Callable[[str], None]
) -> Precisions:
    """On a trunk of each precision every branch has the fastest that passes; the trunk is that of the least total.

    tried: fp32 among them, in which every task passes. A task that fails in others costs the rest nothing, unless no
    branch of it passes on a trunk, which then nobody has.
    """
    trunks = {precision: graphs.trunk.load(precision) for precision in tried}
    attempts = [
        Attempt(checkpoint, graph, trunks, data.get(checkpoint.record.task)) for checkpoint, graph in graphs.branches
    ]
    of_branches = {}
    for attempt in attempts:
        branches = {precision: attempt.graph.load(precision) for precision in tried}
        attempt.compare_answers(branches, product(tried, tried))
        of_branches[attempt.task] = branch_ms(attempt.checkpoint, trunks[Precision.FP32], branches)
    deepest = max((attempt.checkpoint for attempt in attempts), key=lambda checkpoint: checkpoint.record.tap)
    times = Times(trunk_ms(deepest, trunks), of_branches)

    # What promises most is checked on dev; what fails there is struck off, and what then promises most is next.
    chosen = _most_promising(tried, attempts, times.weighed())
    while not all(attempt.passes((chosen.trunk, chosen.branches[attempt.task])) for attempt in attempts):
        chosen = _most_promising(tried, attempts, times.weighed())
    _report(chosen, attempts, times, report)
    return chosen


def _most_promising(tried: Sequence[Precision], attempts: Sequence[Attempt], times: Times) -> Precisions:
    """The fastest of those that nothing is known against."""
    choices = []
    for on in tried:
        allowed = {attempt.task: _allowed(attempt, on) for attempt in attempts}
        if all(allowed.values()):
            branches = {task: min(options, key=times.branches[task].__getitem__) for task, options in allowed.items()}
            choices.append(Precisions(on, branches))
    return min(choices, key=times.total)


def _allowed(attempt: Attempt, trunk: Precision) -> list[Precision]:
    """The branches on such a trunk that nothing is known against."""
    return [branch for (on, branch), refusal in attempt.refusals.items() if on is trunk and refusal is None]


def _report(chosen: Precisions, attempts: Sequence[Attempt], times: Times, report: Callable[[str], None]) -> None:
    """Says what was chosen, and why not the others."""
    failing = {on: ", ".join(attempt.task for attempt in attempts if not _allowed(attempt, on)) for on in times.trunk}
    refused = "".join(f"; not {on}: no branch passes on it for {tasks}" for on, tasks in failing.items() if tasks)
    report(f"trunk: {chosen.trunk} ({_listed(times.trunk)}){refused}")
    for attempt in attempts:
        of = chosen.branches[attempt.task]
        refusals = {other: attempt.refusals[chosen.trunk, other] for other in times.trunk}
        refused = "".join(f"; not {other}: {why}" for other, why in refusals.items() if why)
        dev = attempt.dev_report((chosen.trunk, of))
        report(f"{attempt.task}: {of} ({_listed(times.branches[attempt.task])}){dev}{refused}")
    in_fp32 = times.total(Precisions(Precision.FP32, dict.fromkeys(chosen.branches, Precision.FP32)))
    report(f"precision: all of it takes {times.total(chosen):.1f} ms for {TIMED_ROWS} texts, in fp32 {in_fp32:.1f} ms")


def _listed(ms: Milliseconds) -> str:
    return ", ".join(f"{precision} {taken:.2f} ms" for precision, taken in ms.items())
