import pytest

from clients.address import parse_address
from clients.errors import RequestRejected


@pytest.mark.parametrize(
    ("url", "transport", "target", "path"),
    [
        ("localhost:8001", "grpc", "localhost:8001", ""),
        ("grpc://10.0.0.1:9", "grpc", "10.0.0.1:9", ""),
        ("localhost", "grpc", "localhost:8001", ""),
        ("http://host", "http", "host:8000", ""),
        ("http://host:80/triton/", "http", "host:80", "/triton"),
        ("[::1]:8001", "grpc", "[::1]:8001", ""),
    ],
)
def test_the_scheme_chooses_transport_and_default_port(url: str, transport: str, target: str, path: str) -> None:
    address = parse_address(url)
    assert (address.transport, address.target, address.path) == (transport, target, path)


@pytest.mark.parametrize(
    "url",
    ["", "host:port", "host:70000", "http://", "host:8001/path", "http://me@host:1"],
)
def test_a_url_that_cannot_work_is_refused_by_name(url: str) -> None:
    with pytest.raises(RequestRejected, match=f"^'{url}' is not a server address"):
        parse_address(url)
