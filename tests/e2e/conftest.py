"""One real server for all end-to-end tests of the trained suite; they bear the mark `alone`."""

import math
from collections.abc import Iterator

import pytest
from ask_triton import settled_executions
from publishing_site import load, site  # noqa: F401, fixtures
from served_suite import Suite, train_and_build

from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that share the suite's server: some measure it, so `make test` runs nothing beside them."""
    for item in items:
        if "suite" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return train_and_build(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="session")
def server(suite: Suite) -> Iterator[Supervisor]:
    with Supervisor(Settings(suite.repository), print) as running:
        yield running


@pytest.fixture
def unprobed(server: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor asks the models nothing meanwhile, so that only the test's own requests count."""
    monkeypatch.setattr("build_tools.serving.watch.watch.PROBE_EVERY", math.inf)
    settled_executions(server)


@pytest.fixture(scope="session", params=["grpc", "http"])
def client(request: pytest.FixtureRequest, server: Supervisor) -> Iterator[Client]:
    """A client over each transport in turn."""
    url = f"grpc://{server.grpc_url}" if request.param == "grpc" else f"http://{server.http_url}"
    with Client(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def grpc_client(server: Supervisor) -> Iterator[Client]:
    with Client(server.grpc_url) as opened:
        yield opened
