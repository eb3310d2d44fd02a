"""What a load test lacks on this machine."""

from espalier_errors import EspalierError

EXTRA = "build"  # the extra of pyproject.toml that brings all a load test needs


class LoadTestUnavailable(EspalierError):  # noqa: N818 (says what happened, as its siblings do)
    """perf_analyzer, or something it or the plot needs, is not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"a load test needs {missing}: install Espalier with its extra `{EXTRA}` "
            f"(pip install '.[{EXTRA}]' in its folder)"
        )
