"""Batches of the benchmark's graphs without a server."""

import numpy as np
from bare import batches_of


def test_batches_hold_every_sequence_once_with_like_lengths_together() -> None:
    sequences = [[1] * length for length in (9, 2, 16, 3, 8, 15)]

    batches = batches_of(sequences, 2)

    assert [batch["attention_mask"].sum(axis=1).tolist() for batch in batches] == [[2, 3], [8, 9], [15, 16]]
    assert [batch["input_ids"].shape for batch in batches] == [(2, 3), (2, 9), (2, 16)]


def test_single_texts_keep_their_mixed_order_so_that_any_first_part_is_a_fair_sample() -> None:
    sequences = [[1] * length for length in (9, 2, 16)]

    assert [int(batch["attention_mask"].sum()) for batch in batches_of(sequences, 1)] == [9, 2, 16]


def test_padding_is_masked_out() -> None:
    (batch,) = batches_of([[5, 6, 7, 8, 9], [5]], 2)

    np.testing.assert_array_equal(batch["attention_mask"], (batch["input_ids"] > 0).astype(np.int64))
