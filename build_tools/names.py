"""The names of models and tensors in a repository, which several of the generated files must agree on."""

TRUNK_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def hidden_name(tap: int) -> str:
    """The trunk's output that a branch with this tap reads."""
    return f"hidden_{tap}"


def branch_name(task: str) -> str:
    """The Triton model that holds a task's branch."""
    return f"branch_{task}"
