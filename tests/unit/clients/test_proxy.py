import pytest

from clients.address import parse_address
from clients.errors import RequestRejected
from clients.http_connections import HttpConnections
from clients.proxy import described, is_loopback, proxy_for
from clients.terms import Terms

VARIABLES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "no_proxy", "no_grpc_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


LOOPBACK = ["localhost", "LOCALHOST", "api.localhost", "localhost.", "127.0.0.1", "127.8.9.1", "127.1", "0.0.0.0"]


@pytest.mark.parametrize("host", [*LOOPBACK, "::1", "::", "::ffff:127.0.0.1"])
def test_a_server_on_this_machine_never_has_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "grpc_proxy", "https_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://proxy:3128")

    assert is_loopback(host)
    bracketed = f"[{host}]" if ":" in host else host
    assert proxy_for(parse_address(f"{bracketed}:8001")) is None
    assert proxy_for(parse_address(f"http://{bracketed}:8000")) is None


@pytest.mark.parametrize(
    "host", ["example.org", "10.0.0.7", "localhost.example.org", "mylocalhost", "128.0.0.1", "fe80::1"]
)
def test_other_hosts_are_not_taken_for_this_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("environment", "over_grpc", "over_http"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:3128"}, "http://p:3128", "http://p:3128"),
        ({"http_proxy": "p:3128"}, "http://p:3128", "http://p:3128"),
        ({"grpc_proxy": "http://g:1", "http_proxy": "http://p:2"}, "http://g:1", "http://p:2"),
        ({"https_proxy": "http://s:1"}, "http://s:1", None),
        ({"http_proxy": "http://p:1", "no_proxy": "api.example.org"}, None, None),
        ({"http_proxy": "http://p:1", "no_proxy": ".example.org,other"}, None, None),
        ({"http_proxy": "http://p:1", "no_proxy": "*"}, None, None),
        ({"http_proxy": "http://p:1", "no_proxy": "example.com"}, "http://p:1", "http://p:1"),
        (
            {"grpc_proxy": "http://g:1", "no_grpc_proxy": "api.example.org", "http_proxy": "http://p:2"},
            None,
            "http://p:2",
        ),
    ],
)
def test_other_hosts_go_as_the_environment_says(
    environment: dict[str, str], over_grpc: str | None, over_http: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(parse_address("api.example.org:8001")) == over_grpc
    assert proxy_for(parse_address("http://api.example.org:8000")) == over_http


def test_a_message_names_the_proxy_and_not_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@p:3128")

    assert described(parse_address("http://api:80")) == "http://api:80 (through the proxy http://p:3128)"
    assert described(parse_address("localhost")) == "localhost"


@pytest.mark.parametrize("proxy", ["http://p:port", "http://p:70000", "http://[::1:3128", "https://p:1"])
def test_a_proxy_that_cannot_be_one_is_named_with_what_to_do(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(RequestRejected, match=r"as the proxy for api, .* set http_proxy to one"):
        HttpConnections(parse_address("http://api:80"), Terms(1.0, False))
