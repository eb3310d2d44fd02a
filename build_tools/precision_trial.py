"""One task in several precisions: which of them pass."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.dev_check import DevSet
from build_tools.golden_batch import GoldenBatch
from build_tools.precision import Precision
from build_tools.same_answers import first_difference
from training.checkpoint import Checkpoint

POINTS = 0.2  # by so much of the dev metric may a lower precision differ from fp32
IN_FP32 = (Precision.FP32, Precision.FP32)

Pair = tuple[Precision, Precision]  # of the trunk, of the branch


@dataclass(frozen=True)
class Trial:
    """A task in the pairs of precisions that were tried.

    refusals: why not this pair; None where it passed. scores: the dev metric of those that gave the golden answers, and
    of fp32; empty without data.
    """

    task: str
    metric: str
    refusals: Mapping[Pair, str | None]
    scores: Mapping[Pair, float]

    def passed(self, trunk: Precision) -> list[Precision]:
        """The precisions in which the branch passes on a trunk of that precision."""
        return [branch for (on, branch), refusal in self.refusals.items() if on is trunk and refusal is None]

    def dev_report(self, pair: Pair) -> str:
        """The dev metric of a pair beside that of fp32, to append to a report; empty without data."""
        if not self.scores:
            return ""
        in_fp32 = "" if pair == IN_FP32 else f" (fp32 {self.scores[IN_FP32]:.2f})"
        return f", dev {self.metric} {self.scores[pair]:.2f}{in_fp32}"


def try_task(
    checkpoint: Checkpoint,
    trunks: Mapping[Precision, Chain],
    branches: Mapping[Precision, Chain],
    pairs: Collection[Pair],
    folder: Path | None,
) -> Trial:
    """Holds each pair against the golden examples, and where there is a data folder against the dev metric in fp32.

    trunks, branches: the graphs in the precisions of `pairs`, and with a folder in fp32 too.
    """
    refusals = _golden_refusals(checkpoint, trunks, branches, pairs)
    scores: dict[Pair, float] = {}
    if folder is not None:
        passed = [pair for pair in pairs if refusals[pair] is None]
        scores = _scores(DevSet(folder, checkpoint), trunks, branches, {*passed, IN_FP32})
        for pair in passed:
            difference = scores[pair] - scores[IN_FP32]
            if abs(difference) > POINTS:
                refusals[pair] = (
                    f"its dev {checkpoint.record.metric} is {scores[pair]:.2f}, in fp32 {scores[IN_FP32]:.2f}; allowed "
                    f"is a difference of {POINTS}"
                )
    return Trial(checkpoint.record.task, checkpoint.record.metric, refusals, scores)


def _golden_refusals(
    checkpoint: Checkpoint,
    trunks: Mapping[Precision, Chain],
    branches: Mapping[Precision, Chain],
    pairs: Collection[Pair],
) -> dict[Pair, str | None]:
    batch = GoldenBatch(checkpoint)
    hidden = {on: batch.hidden(trunks[on]) for on in sorted({on for on, _ in pairs})}
    return {
        (on, of): None  # it is proved equal, which says more
        if (on, of) == IN_FP32
        else first_difference(checkpoint.record, batch, batch.logits(hidden[on], branches[of]))
        for on, of in pairs
    }


def _scores(
    dev: DevSet, trunks: Mapping[Precision, Chain], branches: Mapping[Precision, Chain], pairs: Collection[Pair]
) -> dict[Pair, float]:
    scores: dict[Pair, float] = {}
    for on in sorted({on for on, _ in pairs}):  # the trunk runs once for all its branches
        wanted = {of: branches[of] for trunk, of in pairs if trunk is on}
        scores |= {(on, of): score for of, score in dev.scores(trunks[on], wanted).items()}
    return scores
