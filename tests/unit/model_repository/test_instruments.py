import importlib
import sys

import pytest
from router import instruments


@pytest.fixture
def made_anew():
    yield lambda: importlib.reload(instruments)
    importlib.reload(instruments)


def _use(module):
    registry = module.CollectorRegistry()
    module.Counter("espalier_x", "X", ("a",), registry=registry).labels("b").inc(2)
    module.Gauge("espalier_y", "Y", ("a",), registry=registry, multiprocess_mode="livemax").labels(a="b").set(1)
    module.Histogram("espalier_z", "Z", ("a",), registry=registry, buckets=(1, 2)).labels("b").observe(1.5)
    return registry


def test_where_prometheus_client_is_missing_nothing_is_counted_and_nothing_fails(made_anew, monkeypatch):
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "prometheus_client", None)
        module = made_anew()

        assert not hasattr(_use(module), "collect")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_cannot_be_written_to_fails_no_router(made_anew, monkeypatch, tmp_path, caplog, is_there):
    with monkeypatch.context() as context:
        context.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path if is_there else tmp_path / "gone"))
        module = made_anew()
        _use(module)

    assert ("cannot be written to" in caplog.text) != is_there
