"""`--precision auto` for a build: the precisions of trunk and branches that pass and are fastest in total."""

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
    """The precision of the trunk, and that of each task's branch."""

    trunk: Precision
    branches: Mapping[str, Precision]


@dataclass(frozen=True)
class Times:
    """How long trunk and branches take in each precision."""

    trunk: Milliseconds
    branches: Mapping[str, Milliseconds]

    def total(self, precisions: Precisions) -> float:
        """Returns the ms for the trunk and all branches."""
        branches = (self.branches[task][precision] for task, precision in precisions.branches.items())
        return self.trunk[precisions.trunk] + sum(branches)

    def weighed(self) -> "Times":
        """Returns the same times, with those below fp32 made longer by the speed-up they must bring."""
        return Times(weighed(self.trunk), {task: weighed(ms) for task, ms in self.branches.items()})


def fastest_precisions(
    tried: Sequence[Precision], graphs: Graphs, data: Mapping[str, Path], report: Callable[[str], None]
) -> Precisions:
    """Returns the precisions with the least total time, of those in which every task passes.

    For each precision of the trunk, every branch gets its own fastest precision that passes. A trunk on which some task
    passes with no branch is left out. tried: must include fp32, in which every task passes.
    """
    trunks = {precision: graphs.trunk.load(precision) for precision in tried}
    attempts = [Attempt(branch, trunks, data.get(branch.task)) for branch in graphs.branches]
    of_branches = {}
    for attempt in attempts:
        branches = {precision: attempt.branch.graph.load(precision) for precision in tried}
        attempt.compare_answers(branches, product(tried, tried))
        of_branches[attempt.task] = branch_ms(attempt.branch.golden, trunks[Precision.FP32], branches)
    deepest = max((branch.golden for branch in graphs.branches), key=lambda golden: golden.record.tap)
    times = Times(trunk_ms(deepest, trunks), of_branches)

    # Scoring dev is slow, so only the fastest choice is scored. If a pair fails there, the next fastest is.
    chosen = _fastest_left(tried, attempts, times.weighed())
    while not all(attempt.passes((chosen.trunk, chosen.branches[attempt.task])) for attempt in attempts):
        chosen = _fastest_left(tried, attempts, times.weighed())
    _report(chosen, attempts, times, report)
    return chosen


def _fastest_left(tried: Sequence[Precision], attempts: Sequence[Attempt], times: Times) -> Precisions:
    """The fastest precisions without a refusal so far."""
    choices = []
    for on in tried:
        allowed = {attempt.task: _allowed(attempt, on) for attempt in attempts}
        if all(allowed.values()):
            branches = {task: min(options, key=times.branches[task].__getitem__) for task, options in allowed.items()}
            choices.append(Precisions(on, branches))
    return min(choices, key=times.total)


def _allowed(attempt: Attempt, trunk: Precision) -> list[Precision]:
    """The precisions of the branch that have no refusal on such a trunk so far."""
    return [branch for (on, branch), refusal in attempt.refusals.items() if on is trunk and refusal is None]


def _report(chosen: Precisions, attempts: Sequence[Attempt], times: Times, report: Callable[[str], None]) -> None:
    """Reports what was chosen, and why the others were not."""
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
