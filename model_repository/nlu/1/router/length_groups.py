"""Cuts sequences into groups of similar length, so that little of what is computed is padding."""

from collections.abc import Iterator, Sequence

# What one more group costs, in tokens: passing through the processes, and smaller matrices.
GROUP_COST = 25


def length_groups(lengths: Sequence[int]) -> list[list[int]]:
    """Returns the indexes of the sequences in groups; each group is later padded to its longest sequence.

    lengths: padded ones. Of all ways to cut the sequences in order of length, this one computes the fewest tokens,
    where each group counts as GROUP_COST tokens more.
    """
    order = sorted(range(len(lengths)), key=lambda number: lengths[number])
    cheapest = [0]  # tokens of the first n sequences
    last_start = [0]  # where the last group of the first n sequences starts
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


def bounded(group: Sequence[int], length: int, most_tokens: int) -> Iterator[Sequence[int]]:
    """Yields a group in parts of about equal size, none of which has more than `most_tokens`, padding included.

    length: that to which the group is padded. A sequence that is longer than most_tokens is a part of its own.
    """
    parts = min(len(group), -(-len(group) * length // most_tokens))
    size = -(-len(group) // parts)
    while size > 1 and size * length > most_tokens:  # the parts are rounded up to whole sequences
        size -= 1
    for begin in range(0, len(group), size):
        yield group[begin : begin + size]
