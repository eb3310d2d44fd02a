"""The counts that a server's routers keep of candidates, read from its metrics."""

from dataclasses import replace
from http.client import HTTPException
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from build_tools.errors import BuildError
from clients.address import Address, parse_address
from clients.proxy import described, proxy_for

_TIMEOUT_SECONDS = 5.0
_COUNTS = ("candidate_answers", "candidate_errors", "shadow_compared", "shadow_differing")


def candidate_counts(metrics_url: str) -> dict[tuple[str, int], dict[str, int]]:
    """Returns {(task, version): {count: its sum over all router models}}.

    The counts are candidate_answers, candidate_errors, shadow_compared and shadow_differing (docs/serving.md).
    Raises BuildError if no metrics are served at metrics_url (host:port).
    """
    address = replace(parse_address(f"http://{metrics_url}"), url=metrics_url)
    try:
        with _opener(address).open(f"http://{metrics_url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples]
    except (OSError, ValueError, HTTPException) as error:
        where = described(address)
        raise BuildError(
            f"no metrics are served at {where} ({error}): give the server's metrics port as --metrics-port."
        ) from error
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for sample in samples:
        count = sample.name.removeprefix("espalier_").removesuffix("_total")
        if count in _COUNTS:
            version = counts.setdefault((sample.labels["task"], int(sample.labels["version"])), {})
            version[count] = version.get(count, 0) + int(sample.value)
    return counts


def _opener(address: Address) -> OpenerDirector:
    proxy = proxy_for(address)
    return build_opener(ProxyHandler({} if proxy is None else {"http": proxy}))
