"""The names under which trunk, branches and fused graphs hand tensors on."""


def hidden_name(tap: int) -> str:
    """The name of the trunk's output for this tap, and of the input from which a later call continues."""
    return f"hidden_{tap}"


def logits_name(task: str) -> str:
    """The name of a fused graph's output for this task."""
    return f"logits_{task}"
