from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from build_tools.serving.metrics_endpoint import MetricsEndpoint, SupervisorCollector
from build_tools.serving.state import ModelState, ServerState


@pytest.fixture
def page(tmp_path):
    """The url of an endpoint of a server whose trunk has died once, and whose Triton does not answer."""
    state = ServerState(
        ready=False,
        written_at=0.0,
        models={"trunk": ModelState(ready=False, reason="its process has ended", restarts=1)},
        tasks={"intent": False},
        server_restarts=2,
    )
    endpoint = MetricsEndpoint("127.0.0.1", 0, "127.0.0.1:1", tmp_path, [SupervisorCollector(lambda: state)])
    yield f"http://127.0.0.1:{endpoint.port}"
    endpoint.close()


def _samples(url):
    with urlopen(f"{url}/metrics") as response:
        text = response.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_the_supervisor_knows_is_counted_also_while_triton_does_not_answer(page):
    found = _samples(page)

    assert found["espalier_model_up", "trunk"] == 0
    assert found["espalier_restarts_total", "trunk"] == 1
    assert found["espalier_task_ready", "intent"] == 0
    assert found["espalier_server_restarts_total",] == 2
    assert found["espalier_ready",] == 0


def test_other_paths_are_not_found(page):
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{page}/v2")
