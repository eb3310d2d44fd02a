"""A tokenizer as text, in the one form by which two are compared. It loads no torch."""

import json

from tokenizers import Tokenizer


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """The tokenizer as canonical JSON without padding and truncation, so that equal tokenizers give equal texts."""
    state = json.loads(tokenizer.to_str())
    state["padding"] = state["truncation"] = None
    return json.dumps(state, ensure_ascii=False, sort_keys=True)
