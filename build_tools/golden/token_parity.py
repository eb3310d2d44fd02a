"""The parity check of a served version, which needs neither torch nor a tokenizer: golden.npz through the graphs."""

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.runnable import REGRESSION_TOLERANCE, TIE, TOLERANCE, Runnable
from build_tools.repository.golden_examples import GoldenExamples
from build_tools.repository.names import hidden_name
from training.kinds import Kind


def check_tokens(
    examples: GoldenExamples, kind: Kind, tap: int, trunk: Runnable, branch: Runnable, exact: bool
) -> float:
    """Runs the examples through trunk and branch. Returns the greatest difference of a logit.

    exact: both compute in float32, so every logit must agree to 1e-3; else only the answers must agree: the class, the
    labels over a probability of 0.5, the words' tags, the value to 2 % of the golden values' range. Ties may change, as
    in answer_parity.py.
    Raises BuildError, naming the first example that differs.
    """
    hidden = trunk.run(examples.inputs, [hidden_name(tap)])[hidden_name(tap)]
    mask = examples.inputs["attention_mask"]
    logits = branch.run({"hidden": hidden, "attention_mask": mask}, ["logits"])["logits"]
    return compare_logits(examples, kind, logits, exact)


def compare_logits(examples: GoldenExamples, kind: Kind, logits: np.ndarray, exact: bool) -> float:
    """Compares the logits that were computed for the examples. Returns, and raises, what check_tokens does."""
    if logits.shape != examples.logits.shape:
        raise BuildError(f"its logits have the shape {list(logits.shape)} in place of {list(examples.logits.shape)}.")
    difference = np.abs(logits - examples.logits)
    if examples.words is not None:
        difference[examples.inputs["attention_mask"] == 0] = 0  # values at padding are arbitrary
    wrong = ~(difference <= TOLERANCE) if exact else _other_answers(examples, kind, logits)
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(rows):
        found = f"a logit differs by {difference[rows[0]].max():.2g}; at most {TOLERANCE:g} is allowed"
        raise BuildError(f"golden example {rows[0] + 1}: {found if exact else 'another answer'}.")
    return float(difference.max())


def _other_answers(examples: GoldenExamples, kind: Kind, logits: np.ndarray) -> np.ndarray:
    """For each example whether it has another answer, bool [B, ...]. logits: as those of the examples."""
    expected = examples.logits
    if kind is Kind.PAIR_REGRESSION:
        return ~(np.abs(logits - expected) <= REGRESSION_TOLERANCE * examples.spread)
    tie = TIE * examples.spread
    if kind is Kind.MULTI_LABEL:
        others = (((logits > 0) != (expected > 0)) & (np.abs(expected) >= tie)).any(axis=-1)
    else:
        answered = np.take_along_axis(expected, logits.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        lead = expected.max(axis=-1) - answered  # of the golden answer over the one computed, 0 if it is the same
        others = (lead > 0) & (lead >= tie)
    others |= ~np.isfinite(logits).all(axis=-1)
    return others if examples.words is None else others & examples.words
