import numpy as np
import pytest
import torch

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from training.checkpoint import Checkpoint
from training.kinds import Kind
from training.model import Branch

TEXTS = ("a", "a b c d", "b c")  # 3, 6 and 4 tokens


class Trunk:
    """Stands for the exported trunk: remembers what it was given; its hidden states are the token ids."""

    outputs = ("hidden_1", "hidden_2")

    def __call__(self, tensors):
        self.given = tensors
        return {"hidden_1": None, "hidden_2": tensors["input_ids"][..., None].astype(np.float32)}


class BranchGraph:
    """Stands for the exported branch: answers the logits that it is given."""

    outputs = ("logits",)

    def __init__(self, logits):
        self._logits = np.array(logits, dtype=np.float32)

    def __call__(self, tensors):
        self.given = tensors
        return {"logits": self._logits}


@pytest.fixture
def golden(encoder, make_record):
    """(logits, one per text in TEXTS) -> GoldenBatch"""

    def golden(logits, kind=Kind.CLASSIFICATION, pairs=(None, None, None)):
        record = make_record(kind)
        torch.manual_seed(0)
        branch = Branch(encoder.architecture, 2, 1, record.outputs, per_token=kind is Kind.TAGGING)
        rows = [
            {"text": text, **({} if pair is None else {"text_pair": pair}), "logits": row}
            for text, pair, row in zip(TEXTS, pairs, logits, strict=True)
        ]
        return GoldenBatch(Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=rows))

    return golden


LOGITS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_equal_logits_pass_and_the_greatest_difference_is_told(golden):
    computed = [[1.0, 2.0], [3.0, 4.0005], [5.0001, 6.0]]

    assert check_logits(golden(LOGITS), Chain([Trunk()]), Chain([BranchGraph(computed)])) == pytest.approx(
        5e-4, rel=0.01
    )


@pytest.mark.parametrize("wrong", [4.0015, 3.9985, float("nan"), float("inf")])
def test_a_logit_that_differs_stops_with_task_example_and_difference(golden, wrong):
    computed = [[1.0, 2.0], [3.0, wrong], [5.0, 6.0]]
    difference = "0.0015" if np.isfinite(wrong) else "inf"

    with pytest.raises(BuildError, match=rf"intent.* golden example 2 \('a b c d'\) differs by {difference}"):
        check_logits(golden(LOGITS), Chain([Trunk()]), Chain([BranchGraph(computed)]))


def test_a_head_of_another_width_does_not_pass_by_broadcasting(golden):
    with pytest.raises(BuildError, match=r"golden example 1 .* differs by inf"):
        check_logits(golden([[1.0, 1.0]] * 3), Chain([Trunk()]), Chain([BranchGraph([[1.0]] * 3)]))


def test_missing_rows_are_no_proof(golden):
    with pytest.raises(ValueError, match="zip"):
        check_logits(golden(LOGITS), Chain([Trunk()]), Chain([BranchGraph(LOGITS[:2])]))


def test_tagging_compares_every_own_token_and_no_padding(golden):
    own = [[[float(row)] * 3] * length for row, length in enumerate((3, 6, 4))]
    padded = np.full((3, 6, 3), 99.0)
    for row, values in enumerate(own):
        padded[row, : len(values)] = values

    assert check_logits(golden(own, Kind.TAGGING), Chain([Trunk()]), Chain([BranchGraph(padded)])) == 0.0

    padded[2, 3, 1] += 0.01  # the last token of the last text
    with pytest.raises(BuildError, match=r"golden example 3 .* differs by 0.01"):
        check_logits(golden(own, Kind.TAGGING), Chain([Trunk()]), Chain([BranchGraph(padded)]))


def test_the_graphs_are_given_one_masked_batch_and_the_branch_reads_its_own_tap(golden):
    trunk, branch = Trunk(), BranchGraph(LOGITS)

    check_logits(golden(LOGITS), Chain([trunk]), Chain([branch]))

    assert trunk.given["input_ids"].tolist() == [[2, 4, 3, 0, 0, 0], [2, 4, 5, 6, 7, 3], [2, 5, 6, 3, 0, 0]]
    mask = [[1, 1, 1, 0, 0, 0], [1] * 6, [1, 1, 1, 1, 0, 0]]
    assert trunk.given["attention_mask"].tolist() == mask
    assert branch.given["attention_mask"].tolist() == mask
    np.testing.assert_array_equal(branch.given["hidden"][..., 0], trunk.given["input_ids"])


def test_the_pair_of_an_example_is_read_as_the_second_segment(golden):
    trunk = Trunk()

    check_logits(
        golden(LOGITS, Kind.PAIR_CLASSIFICATION, pairs=("b", "e", "c")),
        Chain([trunk]),
        Chain([BranchGraph(LOGITS)]),
    )

    assert trunk.given["input_ids"][0, :5].tolist() == [2, 4, 3, 5, 3]
    assert trunk.given["token_type_ids"][0, :5].tolist() == [0, 0, 0, 1, 1]
