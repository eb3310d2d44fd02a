"""One line about a whole server, from its metrics."""

from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.pace import latency, rate

_DOWN = "not answering: "


def summary(page: MetricsPage, before: MetricsPage | None) -> str:
    """Returns what an operator looks at first: who is down, how much is asked and refused, how long it takes.

    before: the metrics a while ago; None leaves out what needs two moments. A server without a gate has no such
    figures, and the line says only what its routers count.
    """
    down = sorted(model for (model,), up in page.sums("espalier_model_up", "model").items() if not up)
    parts = [_DOWN + ", ".join(down)] if down else []
    if before is not None:
        parts.append(f"{rate('espalier_gate_requests_total', page, before):.1f} requests/s")
        parts.append(f"{rate('espalier_gate_refused_total', page, before):.1f} refused/s")
    p50, p99 = latency("espalier_gate_seconds_bucket", page, before)
    if p50 is not None and p99 is not None:
        parts.append(f"P50 {p50:.1f} ms, P99 {p99:.1f} ms")
    parts.append(f"{page.total(['espalier_gate_in_flight']):.0f} in flight")
    restarts = page.total(["espalier_restarts_total", "espalier_server_restarts_total"])
    parts.append(f"{restarts:.0f} restarts")
    return "  ".join(parts)
