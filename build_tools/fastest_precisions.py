"""`--precision auto`: the precisions of trunk and branches that pass, and with which all of it is fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden_batch import GoldenBatch
from build_tools.graph import Graphs
from build_tools.precision import Precision, weighed
from build_tools.precision_trial import Trial
from build_tools.timing import median_ms
from training.checkpoint import Checkpoint

TIMED_ROWS = 8  # a middling batch: lower precisions gain less on one text, and more on many

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
    trials = [
        Trial(checkpoint, graph, trunks, data.get(checkpoint.record.task)) for checkpoint, graph in graphs.branches
    ]
    branch_ms = {}
    for trial in trials:
        branches = {precision: trial.graph.load(precision) for precision in tried}
        trial.compare_answers(branches, product(tried, tried))
        branch_ms[trial.task] = _branch_ms(trial.checkpoint, trunks[Precision.FP32], branches)
    deepest = max((trial.checkpoint for trial in trials), key=lambda checkpoint: checkpoint.record.tap)
    times = Times(_trunk_ms(deepest, trunks), branch_ms)

    # What promises most is checked on dev; what fails there is struck off, and what then promises most is next.
    chosen = _most_promising(tried, trials, times.weighed())
    while not all(trial.passes((chosen.trunk, chosen.branches[trial.task])) for trial in trials):
        chosen = _most_promising(tried, trials, times.weighed())
    _report(chosen, trials, times, report)
    return chosen


def _most_promising(tried: Sequence[Precision], trials: Sequence[Trial], times: Times) -> Precisions:
    """The fastest of those that nothing is known against."""
    choices = []
    for on in tried:
        allowed = {trial.task: _allowed(trial, on) for trial in trials}
        if all(allowed.values()):
            branches = {task: min(options, key=times.branches[task].__getitem__) for task, options in allowed.items()}
            choices.append(Precisions(on, branches))
    return min(choices, key=times.total)


def _allowed(trial: Trial, trunk: Precision) -> list[Precision]:
    """The branches on such a trunk that nothing is known against."""
    return [branch for (on, branch), refusal in trial.refusals.items() if on is trunk and refusal is None]


def _report(chosen: Precisions, trials: Sequence[Trial], times: Times, report: Callable[[str], None]) -> None:
    """Says what was chosen, and why not the others."""
    failing = {on: ", ".join(trial.task for trial in trials if not _allowed(trial, on)) for on in times.trunk}
    refused = "".join(f"; not {on}: no branch passes on it for {tasks}" for on, tasks in failing.items() if tasks)
    report(f"trunk: {chosen.trunk} ({_listed(times.trunk)}){refused}")
    for trial in trials:
        of = chosen.branches[trial.task]
        refusals = {other: trial.refusals[chosen.trunk, other] for other in times.trunk}
        refused = "".join(f"; not {other}: {why}" for other, why in refusals.items() if why)
        report(
            f"{trial.task}: {of} ({_listed(times.branches[trial.task])}){trial.dev_report((chosen.trunk, of))}{refused}"
        )
    in_fp32 = times.total(Precisions(Precision.FP32, dict.fromkeys(chosen.branches, Precision.FP32)))
    report(f"precision: all of it takes {times.total(chosen):.1f} ms for {TIMED_ROWS} texts, in fp32 {in_fp32:.1f} ms")


def _trunk_ms(checkpoint: Checkpoint, trunks: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """The time of each trunk, up to the checkpoint's tap, on some of its golden examples."""
    batch = GoldenBatch(checkpoint)
    return median_ms({precision: partial(batch.hidden, trunk, TIMED_ROWS) for precision, trunk in trunks.items()})


def _branch_ms(checkpoint: Checkpoint, trunk: Chain, branches: Mapping[Precision, Chain]) -> dict[Precision, float]:
    """The time of each branch on some golden examples."""
    batch = GoldenBatch(checkpoint)
    inputs = batch.branch_inputs(batch.hidden(trunk, TIMED_ROWS))
    return median_ms({precision: partial(branch.run, inputs, ["logits"]) for precision, branch in branches.items()})


def _listed(ms: Milliseconds) -> str:
    return ", ".join(f"{precision} {taken:.2f} ms" for precision, taken in ms.items())
