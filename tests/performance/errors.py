"""What the benchmark cannot go on with."""

from espalier_errors import EspalierError


class BenchError(EspalierError):
    """One sentence: what was found, and what to do."""
