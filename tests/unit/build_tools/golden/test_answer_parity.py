import numpy as np
import pytest
import torch

from build_tools.golden.answer_parity import first_difference
from build_tools.golden.golden_batch import GoldenBatch
from training.checkpoint import Checkpoint
from training.kinds import Kind
from training.model import Branch

TEXTS = ("a b", "c d", "e.a bb")


@pytest.fixture
def difference(encoder, make_record):
    """(kind, golden logits, computed logits) -> what first_difference says."""

    def difference(kind, expected, computed, **given):
        record = make_record(kind, **given)
        golden = [{"text": text, "logits": row} for text, row in zip(TEXTS, expected, strict=False)]
        branch = Branch(encoder.architecture, 2, 1, record.outputs, per_token=kind is Kind.TAGGING)
        checkpoint = Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=golden)
        return first_difference(GoldenBatch(checkpoint), [np.array(row, np.float32) for row in computed])

    torch.manual_seed(0)
    return difference


def test_another_class_is_told_with_example_both_labels_and_margin(difference):
    expected = [[1.0, 2.0], [0.52, 0.5]]

    assert difference(Kind.CLASSIFICATION, expected, [[1.9, 2.0], [0.51, 0.50]]) is None
    assert (
        difference(Kind.CLASSIFICATION, expected, [[1.9, 2.0], [0.50, 0.51]])
        == "golden example 2 ('c d'): 'b' in place of 'a', which led by 0.02"
    )


def test_an_answer_that_led_by_less_than_a_thousandth_of_the_range_may_change(difference):
    expected = [[0.0, 20.0], [0.51, 0.5]]

    assert difference(Kind.CLASSIFICATION, expected, [[0.0, 20.0], [0.50, 0.51]]) is None
    assert difference(Kind.CLASSIFICATION, [[0.0, 5.0], [0.51, 0.5]], [[0.0, 5.0], [0.50, 0.51]]) is not None
    assert difference(Kind.MULTI_LABEL, [[20.0, -0.01]], [[20.0, 0.01]]) is None
    assert difference(Kind.MULTI_LABEL, [[5.0, -0.01]], [[5.0, 0.01]]) is not None


def test_a_label_that_comes_or_goes_is_told(difference):
    expected = [[1.0, -2.0], [-0.01, 3.0]]

    assert difference(Kind.MULTI_LABEL, expected, [[0.1, -0.1], [-0.1, 0.2]]) is None
    assert difference(Kind.MULTI_LABEL, expected, [[0.1, -0.1], [0.02, 3.0]]).endswith(
        "with 'a', which was not among its labels by 0.01"
    )
    assert difference(Kind.MULTI_LABEL, expected, [[-0.1, -0.1], [-0.1, 3.0]]).endswith(
        "without 'a', which was among its labels by 1"
    )


def test_a_value_may_move_by_2_percent_of_the_golden_range(difference):
    expected = [[1.0], [3.0], [6.0]]

    assert difference(Kind.PAIR_REGRESSION, expected, [[1.09], [2.91], [6.09]]) is None
    assert (
        difference(Kind.PAIR_REGRESSION, expected, [[1.0], [3.0], [5.89]])
        == "golden example 3 ('e.a bb'): 5.89 in place of 6; a difference of at most 0.1 is allowed"
    )


# [CLS] e . a b ##b [SEP]: "." is [UNK]; the words are "e.a" and "bb"
TOKENS = 7


def _tags(*columns):
    """Logits of 7 tokens, whose greatest is at these columns."""
    logits = np.zeros((TOKENS, 3))
    logits[range(TOKENS), columns] = 1
    return logits.tolist()


def test_only_the_tags_of_first_sub_words_count(encoder, difference):
    tokens = encoder.tokenizer.encode("e.a bb").tokens
    expected = [np.zeros((4, 3)).tolist()] * 2 + [_tags(*[0] * TOKENS)[: len(tokens)]]
    first = [index for index, offset in enumerate(encoder.tokenizer.encode("e.a bb").offsets) if offset[0] in (0, 4)]
    words = [index for index in first if tokens[index] not in ("[CLS]", "[SEP]")]

    others = np.array(expected[2])
    others[[index for index in range(len(tokens)) if index not in words], 2] = 5
    assert difference(Kind.TAGGING, expected, [*expected[:2], others]) is None

    second = np.array(expected[2])
    second[words[1], 1] = 1.5
    assert (
        difference(Kind.TAGGING, expected, [*expected[:2], second])
        == "golden example 3 ('e.a bb'): the word 'bb' is 'B-x' in place of 'O', which led by 1"
    )


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.MULTI_LABEL])
def test_a_logit_that_is_no_number_is_no_answer(difference, kind):
    assert difference(kind, [[1.0, 2.0]], [[float("nan"), 2.0]]).endswith("its logits are not finite")


def test_missing_rows_are_no_agreement(difference):
    with pytest.raises(ValueError, match="zip"):
        difference(Kind.CLASSIFICATION, [[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0]])
