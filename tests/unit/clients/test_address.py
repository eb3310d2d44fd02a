import pytest

from clients.address import parse_address, parse_addresses
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
    [
        *("", "host:port", "host:70000", "http://", "host:8001/path", "http://me@host:1"),
        *("a..b", f"{'a' * 64}:1", "nlu\u2100:1"),  # with these as hosts a look-up raises what is no OSError
    ],
)
def test_a_url_that_cannot_work_is_refused_by_name(url: str) -> None:
    with pytest.raises(RequestRejected, match=f"^'{url}' is not a server address"):
        parse_address(url)


@pytest.mark.parametrize(
    ("urls", "targets"),
    [
        ("grpc://a:1,b:2", ["a:1", "b:2"]),
        ("a, b:2,a", ["a:8001", "b:2"]),
        ("https://a,b:1", ["a:443", "b:1"]),
        (["http://a:1/x", "http://b:1/x"], ["a:1", "b:1"]),
    ],
)
def test_several_servers_may_share_one_scheme_and_count_once(urls: str | list[str], targets: list[str]) -> None:
    addresses = parse_addresses(urls)
    assert [address.target for address in addresses] == targets
    assert len({(address.transport, address.secure) for address in addresses}) == 1


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ([], "the list of servers is empty"),
        (["a:1", "http://b:1"], "not of one kind"),
        ("http://a:1,https://b:1", "not of one kind"),
        ("a:1,b:x", "'b:x' is not a server address"),
        (",a:1", "'' is not a server address"),
    ],
)
def test_servers_that_no_client_can_ask_by_turns_are_refused(urls: str | list[str], said: str) -> None:
    with pytest.raises(RequestRejected, match=said):
        parse_addresses(urls)


def test_a_bracket_that_nothing_closes_is_refused_as_a_host() -> None:
    with pytest.raises(RequestRejected, match="its host is neither a name nor an IP address"):
        parse_address("[::1:8001")
