"""The counts that a server's routers keep of candidates, read from its metrics."""

from build_tools.publishing.metrics_page import MetricsPage

_COUNTS = ("candidate_answers", "candidate_errors", "shadow_compared", "shadow_differing")


def candidate_counts(page: MetricsPage) -> dict[tuple[str, int], dict[str, int]]:
    """Returns {(task, version): {count: its sum over all router models}} for the counts in docs/observability.md."""
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for count in _COUNTS:
        for (task, version), number in page.sums(f"espalier_{count}_total", "task", "version").items():
            counts.setdefault((task, int(version)), {})[count] = int(number)
    return counts
