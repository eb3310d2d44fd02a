"""One task in several precisions: which of them pass."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.golden.answer_parity import first_difference
from build_tools.golden.dev_set import DevSet
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.precision.graph import Graph
from build_tools.repository.precision import Precision
from training.checkpoint import Checkpoint

POINTS = 0.2  # by so much of the dev metric may a lower precision differ from fp32
IN_FP32 = (Precision.FP32, Precision.FP32)

Pair = tuple[Precision, Precision]  # of the trunk, of the branch


class Attempt:
    """A task in pairs of precisions, of its trunk and of its branch.

    trunks: in each precision that is tried, and in fp32 where there is a data folder.
    refusals: of each pair tried why it does not pass, None if nothing is known against it.
    """

    def __init__(
        self, checkpoint: Checkpoint, graph: Graph, trunks: Mapping[Precision, Chain], folder: Path | None
    ) -> None:
        self.checkpoint, self.graph = checkpoint, graph
        self.refusals: dict[Pair, str | None] = {}
        self._trunks, self._folder = trunks, folder
        self._scores: dict[Pair, float] = {}

    @property
    def task(self) -> str:
        """Its name."""
        return self.checkpoint.record.task

    def compare_answers(self, branches: Mapping[Precision, Chain], pairs: Iterable[Pair]) -> None:
        """Holds each pair against the golden answers. fp32 is proved equal, which says more."""
        batch = GoldenBatch(self.checkpoint)
        hidden = {precision: batch.hidden(trunk) for precision, trunk in self._trunks.items()}
        for on, of in pairs:
            if (on, of) == IN_FP32:
                self.refusals[on, of] = None
            else:
                logits = batch.logits(hidden[on], branches[of])
                self.refusals[on, of] = first_difference(self.checkpoint.record, batch, logits)

    def passes(self, pair: Pair) -> bool:
        """Whether a pair that was compared passes. Its dev metric is computed when this is asked, and once."""
        if self.refusals[pair] is None and self._folder is not None:
            metric, score, in_fp32 = self.checkpoint.record.metric, self._score(pair), self._score(IN_FP32)
            if abs(score - in_fp32) > POINTS:
                self.refusals[pair] = (
                    f"its dev {metric} is {score:.2f}, in fp32 {in_fp32:.2f}; allowed is a difference of {POINTS}"
                )
        return self.refusals[pair] is None

    def dev_report(self, pair: Pair) -> str:
        """The dev metric of a pair that passed, to append to a report; empty without data."""
        if self._folder is None:
            return ""
        in_fp32 = "" if pair == IN_FP32 else f" (fp32 {self._score(IN_FP32):.2f})"
        return f", dev {self.checkpoint.record.metric} {self._score(pair):.2f}{in_fp32}"

    def _score(self, pair: Pair) -> float:
        if pair not in self._scores:
            self._scores[pair] = self._dev.score(self._trunks[pair[0]], self.graph.load(pair[1]))
        return self._scores[pair]

    @cached_property
    def _dev(self) -> DevSet:
        assert self._folder is not None
        return DevSet(self._folder, self.checkpoint)
