"""What the benchmark cannot go on with."""


class BenchError(RuntimeError):
    """One sentence: what was found, and what to do."""
