"""A checkpoint's golden examples as one padded batch, and the logits that graphs compute for them."""

import re

import numpy as np

from build_tools.golden.runnable import Runnable
from build_tools.repository.golden_examples import GoldenExamples
from build_tools.repository.names import hidden_name
from training.batches import pad_tokens
from training.checkpoint import Checkpoint
from training.data import Example
from training.kinds import Kind
from training.tokenization import NOT_SEEN, tokenize

_WORD = re.compile(r"\S+")  # in training data the words are joined by blanks


class GoldenBatch:
    """The B golden examples of a checkpoint. Build it once per checkpoint: it tokenizes the texts.

    record: the checkpoint's branch.json.
    tokens: the tokenized examples, for tagging with the position of each word's first sub-word.
    expected: PyTorch's logits of each example, float32 [C], or [T, C] over its own T tokens for tagging.
    inputs: the trunk's inputs, int64 [B, longest T] each.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.record = checkpoint.record
        self._per_token = self.record.kind is Kind.TAGGING
        self._hidden_name = hidden_name(self.record.tap)
        self.examples = [
            Example(row["text"], "", row.get("text_pair"), _words(row["text"]) if self._per_token else ())
            for row in checkpoint.golden
        ]
        self.tokens = tokenize(checkpoint.tokenizer, self.examples, self.record.max_length)
        self.expected = [np.array(row["logits"], dtype=np.float32) for row in checkpoint.golden]
        self.inputs = {name: tensor.numpy() for name, tensor in pad_tokens(self.tokens).items()}

    def for_serving(self) -> GoldenExamples:
        """Returns what a served version keeps of them."""
        if not self._per_token:
            logits = np.stack(self.expected)
            return GoldenExamples(self.inputs, logits, None, float(np.ptp(logits)))
        shape = self.inputs["input_ids"].shape
        logits = np.zeros((*shape, self.record.outputs), np.float32)
        words = np.zeros(shape, np.bool_)
        for row, (expected, tokens) in enumerate(zip(self.expected, self.tokens, strict=True)):
            logits[row, : len(expected)] = expected
            words[row, [position for position in tokens.word_positions if position != NOT_SEEN]] = True
        return GoldenExamples(self.inputs, logits, words, float(np.ptp(logits)))

    def hidden(self, trunk: Runnable, rows: int | None = None) -> np.ndarray:
        """Returns the hidden states that the branch reads, float32 [rows, T, H].

        rows: only the first examples; None takes all.
        """
        inputs = {name: array[:rows] for name, array in self.inputs.items()}
        return trunk.run(inputs, [self._hidden_name])[self._hidden_name]

    def branch_inputs(self, hidden: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what a branch reads for the first examples, as many as `hidden` has rows."""
        return {"hidden": hidden, "attention_mask": self.inputs["attention_mask"][: len(hidden)]}

    def logits(self, hidden: np.ndarray, branch: Runnable) -> list[np.ndarray]:
        """Returns the logits of each example. They have the shapes of `expected` if the graph is right."""
        computed = branch.run(self.branch_inputs(hidden), ["logits"])["logits"]
        if not self._per_token:
            return list(computed)
        return [one[: len(tokens.ids)] for one, tokens in zip(computed, self.tokens, strict=True)]


def _words(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(word.span() for word in _WORD.finditer(text))
