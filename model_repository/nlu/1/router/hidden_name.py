"""The name under which trunk and branches hand hidden states on."""


def hidden_name(tap: int) -> str:
    """The name of the trunk's output for this tap, and of the input from which a later call continues."""
    return f"hidden_{tap}"
