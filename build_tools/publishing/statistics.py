"""What a running server counts, by model and version, and of versions on trial."""

import re
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from build_tools.errors import BuildError

_SAMPLE = re.compile(r"espalier_(\w+)_total\{([^}]*)\} (\S+)")
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Calls:
    """Of one version of a branch: calls of the router or of clients that were answered, and that failed."""

    answered: int
    failed: int


def calls_by_version(url: str) -> dict[tuple[str, int], Calls]:
    """{(model, version): its calls}. Raises BuildError if no Triton answers at url (gRPC host:port)."""
    try:
        with grpc.InferenceServerClient(url) as client:
            statistics = client.get_inference_statistics()
    except InferenceServerException as error:
        raise BuildError(f"no Triton answers at {url} ({error.message()}).") from error
    return {
        (one.name, int(one.version)): Calls(one.inference_stats.success.count, one.inference_stats.fail.count)
        for one in statistics.model_stats
    }


def trial_counts(metrics_url: str) -> dict[tuple[str, int], dict[str, int]]:
    """{(task, version): {"trial_answers", "trial_errors", "shadow_compared", "shadow_differing"}}, over both routers.

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
