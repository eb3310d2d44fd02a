"""Golden examples: inputs with PyTorch's outputs, which every later step is checked against."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tokenizers import Tokenizer

from training.branch_record import GOLDEN_ROWS
from training.checkpoint import GOLDEN_CHARACTERS
from training.data import Example
from training.evaluator import logits_of
from training.kinds import Kind
from training.model import Branch, Trunk
from training.task_model import ComputedStates, TaskModel
from training.tokenization import tokenize


def golden_examples(
    trunk: Trunk, branch: Branch, tokenizer: Tokenizer, dev: Sequence[Example], kind: Kind, max_length: int
) -> list[dict[str, Any]]:
    """The rows of golden.jsonl: at most 32 dev inputs, evenly spread, with PyTorch's float32 logits.

    Each input is computed alone, without padding, so that a later step that pads wrongly gives other logits.
    A row has `text`, `text_pair` (pairs only) and `logits` ([C], or [T, C] over all T tokens for tagging).
    """
    rows_taken = min(GOLDEN_ROWS, len(dev))
    chosen = [_cut(dev[i * len(dev) // rows_taken]) for i in range(rows_taken)]
    tokens = tokenize(tokenizer, chosen, max_length)
    logits = logits_of(TaskModel(ComputedStates(trunk), branch), tokens, kind, batch_size=1)
    rows = []
    for example, values in zip(chosen, logits, strict=True):
        pair = {} if example.text_pair is None else {"text_pair": example.text_pair}
        rows.append({"text": example.text, **pair, "logits": values.tolist()})
    return rows


def _cut(example: Example) -> Example:
    """The example with texts that a checkpoint may hold; the model reads only their beginning anyway."""
    return replace(
        example,
        text=example.text[:GOLDEN_CHARACTERS],
        text_pair=None if example.text_pair is None else example.text_pair[:GOLDEN_CHARACTERS],
        words=tuple(word for word in example.words if word[1] <= GOLDEN_CHARACTERS),
    )
