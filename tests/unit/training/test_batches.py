from typing import Any

import pytest
import torch

from training.batches import epoch_batches, groups_by_length, make_batch, random_groups, target_of
from training.data.example import Example
from training.kinds import Kind
from training.tokenization import NOT_SEEN, Tokens

SHORT, LONG = Tokens([2, 7, 3], [0, 0, 0], []), Tokens([2, 8, 3, 9, 3], [0, 0, 0, 1, 1], [])


@pytest.mark.parametrize(
    ("label", "kind", "labels", "target"),
    [
        ("b", Kind.CLASSIFICATION, ("a", "b"), 1),
        ("a", Kind.PAIR_CLASSIFICATION, ("a", "b"), 0),
        (2.5, Kind.PAIR_REGRESSION, (), 2.5),
        (("c", "a"), Kind.MULTI_LABEL, ("a", "b", "c"), [1.0, 0.0, 1.0]),
        ((), Kind.MULTI_LABEL, ("a", "b"), [0.0, 0.0]),
        (("O", "I-x"), Kind.TAGGING, ("O", "B-x", "I-x"), [0, 2]),
    ],
)
def test_label_becomes_numbers(label: Any, kind: Kind, labels: tuple[str, ...], target: object) -> None:
    assert target_of(Example("t", label), kind, labels) == target


def test_batch_is_padded_to_its_longest_with_the_mask_zero_there() -> None:
    batch = make_batch([SHORT, LONG], [1, 0], Kind.CLASSIFICATION)
    assert batch.input_ids.tolist() == [[2, 7, 3, 0, 0], [2, 8, 3, 9, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch.token_type_ids.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]
    assert {batch.input_ids.dtype, batch.attention_mask.dtype, batch.token_type_ids.dtype} == {torch.int64}


@pytest.mark.parametrize(
    ("kind", "targets", "dtype", "shape"),
    [
        (Kind.CLASSIFICATION, [1, 0], torch.int64, (2,)),
        (Kind.PAIR_CLASSIFICATION, [1, 0], torch.int64, (2,)),
        (Kind.PAIR_REGRESSION, [1.0, 0.5], torch.float32, (2,)),
        (Kind.MULTI_LABEL, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], torch.float32, (2, 3)),
    ],
)
def test_targets_have_the_type_and_shape_of_the_kind(
    kind: Kind, targets: list[Any], dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    made = make_batch([SHORT, LONG], targets, kind).targets
    assert (made.dtype, tuple(made.shape), made.tolist()) == (dtype, shape, targets)


def test_tagging_targets_are_those_of_seen_words_only() -> None:
    tokens = [Tokens([2, 7, 8, 9, 3], [0] * 5, [1, NOT_SEEN, 3]), Tokens([2, 7, 3], [0] * 3, [1, NOT_SEEN])]
    batch = make_batch(tokens, [[4, 5, 6], [7, 8]], Kind.TAGGING)
    assert batch.word_rows.tolist() == [0, 0, 1]
    assert batch.word_columns.tolist() == [1, 3, 1]
    assert batch.targets.tolist() == [4, 6, 7]


def test_batch_in_which_no_word_has_a_token_can_still_index_logits() -> None:
    batch = make_batch([Tokens([2, 3], [0, 0], [NOT_SEEN])], [[1]], Kind.TAGGING)
    assert torch.zeros(1, 2, 5)[batch.word_rows, batch.word_columns].shape == (0, 5)
    assert batch.targets.numel() == 0


def test_an_epoch_has_every_example_once_with_its_own_target() -> None:
    tokens = [Tokens([number], [0], []) for number in range(5)]
    made = list(epoch_batches(tokens, [0, 10, 20, 30, 40], Kind.CLASSIFICATION, 2, torch.Generator().manual_seed(1)))
    assert sorted(len(batch.targets) for batch in made) == [1, 2, 2]
    pairs = [
        pair for batch in made for pair in zip(batch.input_ids[:, 0].tolist(), batch.targets.tolist(), strict=True)
    ]
    assert sorted(pairs) == [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40)]


def test_groups_by_length_hold_each_text_once_the_shortest_first() -> None:
    tokens = [Tokens([0] * length, [0] * length, []) for length in (5, 2, 9, 2, 7)]
    assert list(groups_by_length(tokens, 2)) == [[1, 3], [0, 4], [2]]
    assert list(groups_by_length([], 2)) == []


def test_groups_hold_like_lengths_and_come_in_another_order_each_epoch() -> None:
    lengths = [number % 40 + 1 for number in range(640)]
    shuffle = torch.Generator().manual_seed(0)
    first, second = random_groups(lengths, 32, shuffle), random_groups(lengths, 32, shuffle)
    assert first != second
    for groups in (first, second):
        assert sorted(index for group in groups for index in group) == list(range(640))
        padding = sum(max(lengths[i] for i in group) * len(group) for group in groups) / sum(lengths)
        assert padding < 1.1
    mean_lengths = [sum(lengths[i] for i in group) / len(group) for group in first]
    assert mean_lengths != sorted(mean_lengths)
