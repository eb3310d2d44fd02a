"""One task in several precisions of its trunk and branch: which of them pass the checks."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden.answer_parity import first_difference
from build_tools.golden.dev_set import DevSet
from build_tools.golden.half_parity import too_far
from build_tools.precision.graph import ExportedBranch
from build_tools.repository.precision import Precision

POINTS = 0.2  # largest allowed difference of the dev metric between a lower precision and fp32, on a scale of 0..100
IN_FP32 = (Precision.FP32, Precision.FP32)

Pair = tuple[Precision, Precision]  # of the trunk, of the branch


class Attempt:
    """A task in pairs of precisions: that of its trunk and that of its branch.

    trunks: the trunk in each precision that is tried, and in fp32 if there is a data folder.
    folder: the task's data folder; None leaves the dev metric unchecked.
    refusals: {pair that was tried: why it does not pass; None while nothing speaks against it}.
    """

    def __init__(self, branch: ExportedBranch, trunks: Mapping[Precision, Chain], folder: Path | None) -> None:
        self.branch = branch
        self.refusals: dict[Pair, str | None] = {}
        self._trunks, self._folder = trunks, folder
        self._scores: dict[Pair, float] = {}

    @property
    def task(self) -> str:
        """The task's name."""
        return self.branch.task

    def compare_answers(self, branches: Mapping[Precision, Chain], pairs: Iterable[Pair]) -> None:
        """Compares the answers of each pair with the golden ones. The fp32 pair has passed logit parity already."""
        golden = self.branch.golden
        hidden = {precision: golden.hidden(trunk) for precision, trunk in self._trunks.items()}
        for on, of in pairs:
            if (on, of) == IN_FP32:
                self.refusals[on, of] = None
            else:
                logits = golden.logits(hidden[on], branches[of])
                self.refusals[on, of] = first_difference(golden, logits)
                if of is Precision.FP16 and self.refusals[on, of] is None:
                    self.refusals[on, of] = too_far(golden, logits)

    def passes(self, pair: Pair) -> bool:
        """Whether a pair that was compared passes. The first call for a pair computes its dev metric."""
        if self.refusals[pair] is None and self._folder is not None:
            metric, score, in_fp32 = self.branch.checkpoint.record.metric, self._score(pair), self._score(IN_FP32)
            if abs(score - in_fp32) > POINTS:
                self.refusals[pair] = (
                    f"its dev {metric} is {score:.2f}, and {in_fp32:.2f} in fp32; a difference of at most {POINTS} is "
                    "allowed"
                )
        return self.refusals[pair] is None

    def dev_report(self, pair: Pair) -> str:
        """The dev metric of a pair that passed, to append to a report; empty without a data folder."""
        if self._folder is None:
            return ""
        in_fp32 = "" if pair == IN_FP32 else f" (fp32 {self._score(IN_FP32):.2f})"
        return f", dev {self.branch.checkpoint.record.metric} {self._score(pair):.2f}{in_fp32}"

    def _score(self, pair: Pair) -> float:
        if pair not in self._scores:
            self._scores[pair] = self._dev.score(self._trunks[pair[0]], self.branch.graph.load(pair[1]))
        return self._scores[pair]

    @cached_property
    def _dev(self) -> DevSet:
        assert self._folder is not None
        return DevSet(self._folder, self.branch.checkpoint)
