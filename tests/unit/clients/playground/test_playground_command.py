import pytest

from clients import RequestRejected, ServerUnavailable
from clients.playground.command import playground
from clients.playground.web_server import listen


def test_what_is_wrong_with_the_address_is_said_before_a_page_is_there() -> None:
    with pytest.raises(RequestRejected, match="for gRPC: give the one for HTTP"):
        playground("localhost:8001")
    with pytest.raises(ServerUnavailable, match="cannot be reached"):
        playground("http://127.0.0.1:9")


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.served_tasks.served_tasks", lambda *_: {})
    monkeypatch.setattr("clients.playground.command.find_spec", lambda _: None)

    with pytest.raises(RequestRejected, match=r"install Espalier with its extra `playground`"):
        playground()


def test_a_port_that_is_in_use_is_one_sentence() -> None:
    with listen(0) as first, pytest.raises(RequestRejected, match=r"cannot be used .* give another one as --port"):
        listen(first.getsockname()[1])
