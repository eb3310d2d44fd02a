"""The milliseconds that trunk and branches take for a text, from the metrics of a server at one or two moments."""

from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.pace import TEXTS, grown

# Written by model_repository/nlu/1/router/metrics.py.
_BRANCH_SECONDS = "espalier_branch_seconds_sum"
_TRUNK_SECONDS = "espalier_trunk_seconds_total"
_TRUNK_LAYERS = "espalier_trunk_layers_total"


def branch_milliseconds(page: MetricsPage, before: MetricsPage | None) -> dict[tuple[str, int], float]:
    """Returns {(task, version): milliseconds of its branch for a text}, of the versions that were computed.

    A call's time is that from the router's question to the answer, so under load it includes waiting.
    """
    seconds = grown(_BRANCH_SECONDS, page, before, "task", "version")
    texts = grown(TEXTS, page, before, "task", "version")
    return {
        (task, int(version)): 1000 * spent / texts[task, version]
        for (task, version), spent in seconds.items()
        if texts.get((task, version), 0) > 0
    }


def trunk_milliseconds(page: MetricsPage, before: MetricsPage | None) -> float | None:
    """Returns the milliseconds that one trunk layer took for a text; None if none was computed."""
    layers = sum(grown(_TRUNK_LAYERS, page, before).values())
    return 1000 * sum(grown(_TRUNK_SECONDS, page, before).values()) / layers if layers > 0 else None
