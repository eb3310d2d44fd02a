"""The counts that a server's routers keep of candidates, read from its metrics."""

import urllib.request
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from build_tools.errors import BuildError

_TIMEOUT_SECONDS = 5.0


def candidate_counts(metrics_url: str) -> dict[tuple[str, int], dict[str, int]]:
    """Returns {(task, version): {count: its sum over all router models}}.

    The counts are candidate_answers, candidate_errors, shadow_compared and shadow_differing (docs/serving.md).
    Raises BuildError if no metrics are served at metrics_url (host:port).
    """
    try:
        with urllib.request.urlopen(f"http://{metrics_url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples]
    except (OSError, ValueError, HTTPException) as error:
        raise BuildError(
            f"no metrics are served at {metrics_url} ({error}): give the server's metrics port as --metrics-port."
        ) from error
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for sample in samples:
        if sample.name.startswith("espalier_") and "task" in sample.labels:
            count = sample.name.removeprefix("espalier_").removesuffix("_total")
            version = counts.setdefault((sample.labels["task"], int(sample.labels["version"])), {})
            version[count] = version.get(count, 0) + int(sample.value)
    return counts
