"""What the routers of a running server count of candidates."""

import re
import urllib.request
from http.client import HTTPException

from build_tools.errors import BuildError

_SAMPLE = re.compile(r"espalier_(\w+)_total\{([^}]*)\} (\S+)")
_TIMEOUT_SECONDS = 5.0


def candidate_counts(metrics_url: str) -> dict[tuple[str, int], dict[str, int]]:
    """{(task, version): {"candidate_answers", "candidate_errors", "shadow_compared", "shadow_differing"}}.

    Raises BuildError if no metrics are served at metrics_url (host:port).
    """
    try:
        with urllib.request.urlopen(f"http://{metrics_url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            text = answer.read().decode()
    except (OSError, ValueError, HTTPException) as error:
        raise BuildError(
            f"no metrics are served at {metrics_url} ({error}): give the server's metrics port as --metrics-port."
        ) from error
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for name, labels, value in _SAMPLE.findall(text):
        known = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "task" in known:
            of = counts.setdefault((known["task"], int(known["version"])), {})
            of[name] = of.get(name, 0) + int(float(value))
    return counts
