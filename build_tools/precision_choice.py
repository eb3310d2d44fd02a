"""Which precision trunk and branches get: the one asked for, or of those that pass the checks the fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.errors import BuildError
from build_tools.golden_batch import GoldenBatch
from build_tools.graph import Graph
from build_tools.precision import Precision, candidates
from build_tools.precision_trial import Trial, try_task
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
class Suite:
    """The exported graphs, proved in fp32: the trunk with its taps, and each checkpoint's branch."""

    trunk: Graph
    taps: list[int]
    branches: Sequence[tuple[Checkpoint, Graph]]


def choose_precisions(
    wanted: Precision, suite: Suite, data: Mapping[str, Path], report: Callable[[str], None]
) -> Precisions:
    """Holds what is wanted against golden examples, and against dev for the tasks whose folder `data` names.

    auto: on each precision of the trunk every branch has the fastest that passes, and the trunk gets the one with which
    trunk and branches together are fastest. One task never costs the others more than the trunk's precision.
    Raises BuildError if the precision that is asked for does not pass, naming task, example and answers.
    """
    tried = candidates(wanted, suite.trunk.runtime)
    if wanted is Precision.AUTO:
        return _fastest(tried, suite, data, report)
    if wanted is not Precision.FP32 or data:  # the proof in fp32 is more than the check of its answers
        _check_all(wanted, suite, data, report)
    return Precisions(wanted, {checkpoint.record.task: wanted for checkpoint, _ in suite.branches})


def _check_all(wanted: Precision, suite: Suite, data: Mapping[str, Path], report: Callable[[str], None]) -> None:
    """Raises BuildError if a task does not pass in the precision that is asked for."""
    loaded = {wanted, Precision.FP32} if data else {wanted}
    trunks = {precision: suite.trunk.load(precision) for precision in loaded}
    pair = (wanted, wanted)
    for checkpoint, graph in suite.branches:
        branches = {precision: graph.load(precision) for precision in loaded}
        trial = try_task(checkpoint, trunks, branches, [pair], data.get(checkpoint.record.task))
        refusal = trial.refusals[pair]
        if refusal is not None:
            raise BuildError(
                f"{trial.task} does not pass in {wanted}: {refusal}. Use --precision auto, which gives each branch the "
                "fastest precision that passes, or fp32. Nothing was put in place."
            )
        report(f"{trial.task}: same answers in {wanted}{trial.dev_report(pair)}")


def _fastest(
    tried: Sequence[Precision], suite: Suite, data: Mapping[str, Path], report: Callable[[str], None]
) -> Precisions:
    trunks = {precision: suite.trunk.load(precision) for precision in tried}
    possible = list(tried)
    trials: list[tuple[Trial, Milliseconds]] = []
    for checkpoint, graph in suite.branches:
        branches = {precision: graph.load(precision) for precision in tried}
        pairs = [(on, of) for on in possible for of in tried]
        trial = try_task(checkpoint, trunks, branches, pairs, data.get(checkpoint.record.task))
        trials.append((trial, _branch_ms(checkpoint, trunks[Precision.FP32], branches)))
        for on in [on for on in possible if not trial.passed(on)]:
            possible.remove(on)
            report(f"no trunk in {on}: {trial.task} passes on it with no branch; in {on} {trial.refusals[on, on]}")

    deepest = max((checkpoint for checkpoint, _ in suite.branches), key=lambda one: one.record.tap)
    trunk_ms = _trunk_ms(deepest, trunks)
    total_ms = {
        on: trunk_ms[on] + sum(min(ms[of] for of in trial.passed(on)) for trial, ms in trials) for on in possible
    }
    trunk = min(total_ms, key=total_ms.__getitem__)
    chosen = Precisions(trunk, {trial.task: min(trial.passed(trunk), key=ms.__getitem__) for trial, ms in trials})
    report(f"trunk: {trunk}; {_listed(trunk_ms)}")
    for trial, ms in trials:
        of = chosen.branches[trial.task]
        refused = [f"; not {one}: {why}" for (on, one), why in trial.refusals.items() if on is trunk and why]
        report(f"{trial.task}: {of}{trial.dev_report((trunk, of))}; {_listed(ms)}{''.join(refused)}")
    fp32_ms = trunk_ms[Precision.FP32] + sum(ms[Precision.FP32] for _, ms in trials)
    report(f"precision: all of it takes {total_ms[trunk]:.1f} ms for {TIMED_ROWS} texts, in fp32 {fp32_ms:.1f} ms")
    return chosen


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
