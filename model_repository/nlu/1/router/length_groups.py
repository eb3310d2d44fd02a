"""Sequences of like length go through trunk and branches together, so that little of what is computed is padding."""

from collections.abc import Sequence

# What one more group costs, as a number of tokens: its way through the processes, and matrices of fewer rows.
GROUP_COST = 25


def length_groups(lengths: Sequence[int]) -> list[list[int]]:
    """The sequences' numbers, in groups that are each padded to their longest. lengths: padded ones.

    Of all ways to cut the sequences in order of length, the one that computes the fewest tokens, with GROUP_COST for
    each group.
    """
    order = sorted(range(len(lengths)), key=lambda number: lengths[number])
    cheapest = [0]  # tokens of the first n sequences
    last_start = [0]  # where their last group starts
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        cost, start = min((cheapest[start] + longest * (end - start), start) for start in range(end))
        cheapest.append(cost + GROUP_COST)
        last_start.append(start)
    groups, end = [], len(order)
    while end:
        groups.append(order[last_start[end] : end])
        end = last_start[end]
    return groups
