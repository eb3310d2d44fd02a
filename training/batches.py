"""Tokens and labels -> padded tensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from training.data import Example
from training.kinds import Kind
from training.tokenization import NOT_SEEN, Tokens

POOL_BATCHES = 16


@dataclass(frozen=True)
class Inputs:
    """B texts (or pairs) padded to T tokens.

    rows: int64 [B], their indices in the list of all texts.
    input_ids, attention_mask, token_type_ids: int64 [B, T].
    """

    rows: torch.Tensor
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    token_type_ids: torch.Tensor

    def to(self, device: torch.device) -> Self:
        """Returns a copy on another device."""
        return type(self)(*(tensor.to(device) for tensor in vars(self).values()))


@dataclass(frozen=True)
class Batch(Inputs):
    """B examples with their targets.

    targets: int64 [B] (classification), float32 [B] (regression), float32 [B, C] (multi-label), int64 [M] (tagging).
    word_rows, word_columns: for tagging, int64 [M]: row and column of the first sub-words of the M words that have a
        token; empty for other kinds.
    """

    targets: torch.Tensor
    word_rows: torch.Tensor
    word_columns: torch.Tensor


def target_of(example: Example, kind: Kind, labels: Sequence[str]) -> list[int] | list[float] | int | float:
    """The example's label as numbers: class index, value, a 0 or 1 per class, or a tag index per word."""
    label = example.label
    if isinstance(label, float):
        return label
    if kind is Kind.MULTI_LABEL:
        return [float(name in label) for name in labels]
    if isinstance(label, tuple):
        return [labels.index(name) for name in label]
    return labels.index(label)


def pad_tokens(tokens: Sequence[Tokens]) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask and token_type_ids, int64 [B, T], padded to the longest of the B examples."""
    longest = max(len(one.ids) for one in tokens)
    input_ids = torch.zeros(len(tokens), longest, dtype=torch.long)
    attention_mask, token_type_ids = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
    for row, one in enumerate(tokens):
        input_ids[row, : len(one.ids)] = torch.tensor(one.ids)
        token_type_ids[row, : len(one.ids)] = torch.tensor(one.types)
        attention_mask[row, : len(one.ids)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}


def make_inputs(tokens: Sequence[Tokens], rows: Sequence[int]) -> Inputs:
    """The texts at the indices `rows` of `tokens`, padded."""
    return Inputs(torch.tensor(rows), **pad_tokens([tokens[row] for row in rows]))


def make_batch(
    tokens: Sequence[Tokens], targets: Sequence[object], kind: Kind, rows: Sequence[int] | None = None
) -> Batch:
    """The examples at the indices `rows` (None: all); `targets` are made by target_of."""
    rows = range(len(tokens)) if rows is None else rows
    chosen = [targets[row] for row in rows]
    seen = [
        (place, position, word)
        for place, row in enumerate(rows)
        for word, position in enumerate(tokens[row].word_positions)
        if position != NOT_SEEN
    ]
    if kind is Kind.TAGGING:
        chosen = [chosen[place][word] for place, _, word in seen]  # type: ignore[index]
    is_index = kind in (Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION, Kind.TAGGING)
    return Batch(
        **vars(make_inputs(tokens, rows)),
        targets=torch.tensor(chosen, dtype=torch.long if is_index else torch.float32),
        word_rows=torch.tensor([place for place, _, _ in seen], dtype=torch.long),
        word_columns=torch.tensor([column for _, column, _ in seen], dtype=torch.long),
    )


def groups_by_length(tokens: Sequence[Tokens], batch_size: int) -> Iterator[list[int]]:
    """Divides the indices of `tokens` into groups of batch_size, shortest texts first; the last may be smaller.

    Texts of like length share a batch, so that little is computed on padding.
    """
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index].ids))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def epoch_batches(
    tokens: Sequence[Tokens], targets: Sequence[object], kind: Kind, batch_size: int, shuffle: torch.Generator
) -> Iterator[Batch]:
    """Yields every example once, in random batches of like length, so that little is computed on padding."""
    for rows in random_groups([len(one.ids) for one in tokens], batch_size, shuffle):
        yield make_batch(tokens, targets, kind, rows)


def random_groups(lengths: Sequence[int], batch_size: int, shuffle: torch.Generator) -> list[list[int]]:
    """Divides the indices of `lengths` into random groups of like length; one of them may be below batch_size.

    The indices are shuffled, sorted by length within pools of POOL_BATCHES groups, and cut into groups; then the
    groups are shuffled. Sorting all of them would make the same groups in every epoch.
    """
    order = torch.randperm(len(lengths), generator=shuffle).tolist()
    pool = POOL_BATCHES * batch_size
    pools = [sorted(order[start : start + pool], key=lengths.__getitem__) for start in range(0, len(order), pool)]
    in_pools = [index for one in pools for index in one]
    groups = [in_pools[start : start + batch_size] for start in range(0, len(in_pools), batch_size)]
    return [groups[i] for i in torch.randperm(len(groups), generator=shuffle).tolist()]
