"""Whether golden examples could be those of a branch: their sizes and values, before a model is asked with them."""

import numpy as np

from build_tools.errors import BuildError
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES, GoldenExamples
from training.branch_record import GOLDEN_ROWS, BranchRecord
from training.kinds import Kind

_BELOW = {"input_ids": "vocab_size", "token_type_ids": "type_vocab_size"}


def check_golden_form(golden: GoldenExamples, record: BranchRecord) -> None:
    """Raises BuildError if the examples are not those of the branch that branch.json describes."""
    problem = _problem(golden, record)
    if problem:
        raise BuildError(f"its {GOLDEN_EXAMPLES} {problem}: package the checkpoint again.")


def _problem(golden: GoldenExamples, record: BranchRecord) -> str | None:
    mask = golden.inputs["attention_mask"]
    rows, length = mask.shape
    if rows > GOLDEN_ROWS or length > record.max_length:
        return f"has {rows} examples of {length} tokens; at most {GOLDEN_ROWS} of {record.max_length} are allowed"
    if not np.isin(mask, (0, 1)).all() or not mask[:, 0].all():
        return "has a mask that is not of 0 and 1, or begins with 0"
    for name, field in _BELOW.items():
        limit, ids = record.encoder.config.get(field), golden.inputs[name]
        if ids.min() < 0 or (isinstance(limit, int) and limit > 0 and ids.max() >= limit):
            return f"has {name} that the encoder does not know"
    if (golden.words is not None) != (record.kind is Kind.TAGGING):
        return f"is not that of the kind {record.kind}"
    if golden.logits.shape[-1] != record.outputs or golden.logits.ndim != (3 if golden.words is not None else 2):
        return f"has {golden.logits.shape[-1]} logits per answer, and its branch {record.outputs}"
    if not np.isfinite(golden.logits).all():
        return "has logits that are not numbers"
    return None
