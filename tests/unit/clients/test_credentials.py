import traceback
from pathlib import Path

import pytest
import trustme

from clients import AsyncClient, Client, RequestRejected
from clients.address import parse_address
from clients.credentials import Credentials
from clients.terms import Terms


def test_the_key_is_in_no_text_that_a_log_or_a_traceback_might_hold() -> None:
    credentials = Credentials.of("secret", "ca.pem")

    assert credentials.headers == {"authorization": "Bearer secret"}
    assert "secret" not in repr(credentials) + repr(Terms(1.0, False, credentials))
    with pytest.raises(RequestRejected) as error:
        Client("http://host", key="secret\n")
    assert "secret" not in "".join(traceback.format_exception(error.value, chain=True)[-1:])


@pytest.mark.parametrize("key", ["", "a b", "ü", "a\r\nx: y"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(RequestRejected, match="the key is empty or has characters"):
        Client(key=key)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(("url", "better"), [("host:1", "grpcs://host:1"), ("http://host:1", "https://host:1")])
def test_certificates_without_tls_are_refused_with_the_address_to_write(
    kind: type[Client] | type[AsyncClient], url: str, better: str
) -> None:
    with pytest.raises(RequestRejected, match=f"write {better}"):
        kind(url, ca="ca.pem")


def test_the_environment_names_files_and_an_empty_variable_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k1\n")
    variables = {"ESPALIER_KEY_FILE": str(tmp_path / "key"), "ESPALIER_CERT": "c", "ESPALIER_CERT_KEY": "k"}

    assert Credentials.from_environment(variables) == Credentials("k1", None, (Path("c"), Path("k")))
    assert Credentials.from_environment({"ESPALIER_KEY": "", "ESPALIER_CA": ""}) == Credentials()
    assert Credentials.from_environment(variables | {"ESPALIER_KEY": "k2"}).key == "k2"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ESPALIER_CERT": "c"}, "ESPALIER_CERT and ESPALIER_CERT_KEY need each other"),
        ({"ESPALIER_KEY_FILE": "/no/such/file"}, "ESPALIER_KEY_FILE: /no/such/file cannot be read: No such file"),
        ({"ESPALIER_KEY_FILE": "/dev/null"}, "the key is empty"),
    ],
)
def test_an_environment_that_does_not_fit_is_told(variables: dict[str, str], said: str) -> None:
    with pytest.raises(RequestRejected, match=said):
        Credentials.from_environment(variables)


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    other, leaf = trustme.CA().issue_cert("a"), trustme.CA().issue_cert("b")
    certificate, key, odd = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "odd.pem"
    leaf.cert_chain_pems[0].write_to_path(certificate)
    other.private_key_pem.write_to_path(key)
    odd.write_text("odd")

    for credentials, said in (
        (Credentials.of(ca=tmp_path / "none"), "ca: .*none cannot be read: No such file"),
        (Credentials.of(ca=odd), r"ca: .*odd\.pem holds no certificate in PEM form"),
        (Credentials.of(cert=(certificate, tmp_path / "none")), "cert: .*none cannot be read: No such file"),
        (Credentials.of(cert=(certificate, key)), "is not the private key of"),
        (Credentials.of(cert=(certificate, odd)), "are not a certificate and its private key in PEM form"),
    ):
        with pytest.raises(RequestRejected, match=said):
            credentials.ssl_context()


def test_one_path_in_place_of_two_is_refused() -> None:
    with pytest.raises(RequestRejected, match="cert must be two paths"):
        Client("https://host", cert="client.pem")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "port", "secure"),
    [
        ("grpcs://host", 8001, True),
        ("https://host", 443, True),
        ("https://host:1/a", 1, True),
        ("http://host", 8000, False),
    ],
)
def test_addresses_with_tls_have_ports_of_their_own(url: str, port: int, secure: bool) -> None:
    address = parse_address(url)

    assert (address.port, address.secure) == (port, secure)
