import io

import pytest
from rich.console import Console

from build_tools.errors import BuildError
from build_tools.publishing import status, status_watch
from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.status_watch import watch_status
from build_tools.repository.registry import write_registry


class _Server:
    """A server that has counted nothing."""

    def __init__(self, url, _control_key):
        assert url == "here:8001"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def calls(self):
        return {}

    def ready_versions(self):
        return {}


@pytest.fixture
def shown(tmp_path, registry, monkeypatch):
    """What is on the screen after each of the looks; an error is a server that does not answer then."""
    write_registry(tmp_path, registry)
    monkeypatch.setattr(status, "RunningServer", _Server)

    def shown(*looks):
        left = [*looks]

        def read_metrics(url):
            assert url == "here:8002"
            look = left.pop(0)
            if isinstance(look, BuildError):
                raise look
            return MetricsPage.of(look, 2.0 * (len(looks) - len(left)))

        def pause(seconds):
            assert seconds == 1.5
            if not left:
                raise KeyboardInterrupt

        monkeypatch.setattr(status_watch, "read_metrics", read_metrics)
        out = io.StringIO()
        watch_status(tmp_path, "here:8001", "here:8002", 1.5, Console(file=out, width=160), pause)
        return out.getvalue()

    return shown


def _texts(number):
    return f'espalier_texts_total{{model="nlu",task="intent",version="3"}} {number}\n'


def test_rates_are_those_since_the_last_look(shown):
    screen = shown(_texts(1000), _texts(1050))

    titles = screen.splitlines()
    assert any("task" in line and "texts/s" in line and "P99 ms" in line for line in titles)
    assert not any("since" in line for line in titles)
    (row,) = (line for line in titles if line.strip().startswith("intent"))
    assert "25.0" in row.split()


def test_a_model_that_does_not_answer_is_in_the_first_line(shown):
    screen = shown('espalier_model_up{model="trunk"} 0\nespalier_model_up{model="nlu"} 1\n')

    assert "not answering: trunk  " in screen.splitlines()[0]


def test_a_server_that_stops_answering_is_said_and_the_watch_goes_on(shown):
    screen = shown(_texts(10), BuildError("no metrics are served at here:8002"), _texts(30))

    assert "intent" in screen


def test_a_server_that_does_not_answer_at_first_ends_the_watch(shown):
    with pytest.raises(BuildError, match="no metrics are served"):
        shown(BuildError("no metrics are served"))
