import random

import pytest
from router.length_groups import GROUP_COST, bounded, length_groups
from router.padded_length import padded_length

MOST = 128


def _log_normal(rng):
    return min(MOST, max(3, round(rng.lognormvariate(2.77, 0.6))))  # a median of 16 tokens


def _uniform(rng):
    return rng.randint(5, MOST)


@pytest.mark.parametrize("draw", [_log_normal, _uniform])
@pytest.mark.parametrize("size", [32, 64])
def test_padding_stays_under_a_fifth_on_mixed_lengths(draw, size):
    rng = random.Random(size)
    read = computed = 0
    for _ in range(50):
        lengths = [draw(rng) for _ in range(size)]
        read += sum(lengths)
        padded = [padded_length(length, MOST) for length in lengths]
        for group in length_groups(padded):
            computed += len(group) * max(padded[number] for number in group)

    assert 1 - read / computed < 0.2


def test_every_sequence_is_in_one_group_and_in_one_only():
    rng = random.Random(1)
    for size in (1, 2, 7, 64):
        groups = length_groups([rng.randint(3, MOST) for _ in range(size)])
        assert sorted(number for group in groups for number in group) == list(range(size))
        assert all(groups)


def test_of_no_sequence_there_is_no_group():
    assert length_groups([]) == []


@pytest.mark.parametrize("length", [3, 16, MOST])
def test_equal_lengths_stay_together(length):
    assert length_groups([length] * 64) == [list(range(64))]


def test_two_short_texts_share_a_group_and_a_long_one_does_not_pad_many_short_ones():
    assert len(length_groups([5, 9])) == 1
    assert sorted(map(sorted, length_groups([8] * 10 + [128]))) == [list(range(10)), [10]]


def _partitions(items):
    """Every way to put the items into groups, not only those that cut them in order."""
    if not items:
        yield []
        return
    first, *rest = items
    for partition in _partitions(rest):
        yield [[first], *partition]
        for index, group in enumerate(partition):
            yield [*partition[:index], [first, *group], *partition[index + 1 :]]


def _cost(groups, lengths):
    return sum(GROUP_COST + len(group) * max(lengths[number] for number in group) for group in groups)


def test_no_other_grouping_computes_fewer_tokens():
    rng = random.Random(2)
    for _ in range(20):
        lengths = [rng.randint(3, 60) for _ in range(rng.randint(1, 7))]
        cheapest = min(_cost(groups, lengths) for groups in _partitions(list(range(len(lengths)))))
        assert _cost(length_groups(lengths), lengths) == cheapest, lengths


@pytest.mark.parametrize(
    ("sequences", "length"), [(64, 128), (64, 512), (5, 512), (1, 4096), (3, 1000), (64, 8), (63, 72)]
)
def test_no_part_of_a_group_has_more_tokens_than_a_call_may_have_and_none_is_lost(sequences, length):
    group = list(range(sequences))

    parts = [list(part) for part in bounded(group, length, 2048)]

    assert [sequence for part in parts for sequence in part] == group
    assert all(len(part) * length <= 2048 or len(part) == 1 for part in parts)
    assert len(parts) <= -(-sequences * length // 2048) + 1 or length * 2 > 2048, "no more parts than are needed"
