import pytest

from build_tools.errors import BuildError
from build_tools.fleet.addresses import fleet_addresses


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", [("http", "a", 8000, False)]),
        ("a:9000, b", [("http", "a", 9000, False), ("http", "b", 8000, False)]),
        ("https://a,b:8443", [("http", "a", 443, True), ("http", "b", 8443, True)]),
        ("http://a:8000,https://b:8000,", [("http", "a", 8000, False), ("http", "b", 8000, True)]),
        ("a:8000,http://a:8000", [("http", "a", 8000, False)]),
        ("[::1]:8000", [("http", "::1", 8000, False)]),
    ],
)
def test_gates_are_named_as_briefly_as_is_clear(given, expected):
    found = fleet_addresses(given)

    assert [(one.transport, one.host, one.port, one.secure) for one in found] == expected


@pytest.mark.parametrize("given", ["", " , ", "grpc://a:8001", "http://a:port", "http://", "ftp://a"])
def test_what_is_no_http_address_is_refused_by_the_option(given):
    with pytest.raises(BuildError, match=r"^--fleet"):
        fleet_addresses(given)
