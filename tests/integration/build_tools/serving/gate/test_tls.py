"""TLS and mutual TLS of both protocols, with our own clients on the other side."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import REGISTRY
from tls_server import Addresses, served

from build_tools.serving.gate.settings import Tls
from build_tools.serving.gate.tls import ServerTls
from clients import AsyncClient, Client, EspalierError, RequestRejected

_SCHEMES = ["grpcs", "https"]


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Site:
    """Certificates in a folder, and who signed them."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.other_ca, self.client_ca = trustme.CA(), trustme.CA(), trustme.CA()
        self.files = {"certificate": folder / "cert.pem", "key": folder / "key.pem"}
        self.authority = folder / "ca.pem"
        self.client_authority = folder / "client_ca.pem"
        self.pair = (folder / "client.pem", folder / "client_key.pem")
        self.ca.cert_pem.write_to_path(self.authority)
        self.client_ca.cert_pem.write_to_path(self.client_authority)
        self.write(self.ca.issue_cert("localhost"), *self.files.values())
        self.write(self.client_ca.issue_cert("someone"), *self.pair)

    @staticmethod
    def write(leaf: trustme.LeafCert, certificate: Path, key: Path) -> None:
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)


@pytest.fixture
def site(tmp_path: Path) -> _Site:
    return _Site(tmp_path)


@pytest.fixture
def addresses(site: _Site) -> Iterator[Addresses]:
    with served(ServerTls(Tls(**site.files))) as found:
        yield found


@pytest.fixture
def mutual(site: _Site) -> Iterator[Addresses]:
    with served(ServerTls(Tls(**site.files, client_ca=site.client_authority))) as found:
        yield found


def _url(addresses: Addresses, scheme: str) -> str:
    return f"{scheme}://{addresses.grpc if scheme == 'grpcs' else addresses.http}"


def _asked(url: str, **credentials: Any) -> str:
    with Client(url, 5.0, **credentials) as client:
        label = client.predict("a")["echo"].label

    async def again() -> str | None:
        async with AsyncClient(url, 5.0, **credentials) as other:
            return (await other.predict("a"))["echo"].label

    assert asyncio.run(again()) == label
    return str(label)


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_a_client_that_knows_the_authority_is_answered_and_its_key_arrives(
    addresses: Addresses, site: _Site, scheme: str
) -> None:
    assert _asked(_url(addresses, scheme), ca=site.authority, key="k1") == "Bearer k1"


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_an_unknown_authority_and_another_host_s_certificate_are_told_apart(
    addresses: Addresses, site: _Site, scheme: str
) -> None:
    with (
        Client(_url(addresses, scheme), 5.0) as client,
        pytest.raises(RequestRejected, match="unable to get local issuer"),
    ):
        client.predict("a")

    by_number = _url(addresses, scheme).replace("localhost", "127.0.0.1")
    with (
        Client(by_number, 5.0, ca=site.authority) as client,
        pytest.raises(RequestRejected, match=r"IP address mismatch|for another host name"),
    ):
        client.predict("a")


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_mutual_tls_lets_in_only_who_shows_a_certificate_of_the_authority(
    mutual: Addresses, site: _Site, scheme: str, tmp_path: Path
) -> None:
    url = _url(mutual, scheme)
    foreign = (tmp_path / "foreign.pem", tmp_path / "foreign_key.pem")
    site.write(site.other_ca.issue_cert("stranger"), *foreign)

    assert _asked(url, ca=site.authority, cert=site.pair) == "nobody"
    for cert in (None, foreign):
        with (
            Client(url, 5.0, ca=site.authority, cert=cert) as client,
            pytest.raises(EspalierError, match=r"client certificate"),
        ):
            client.predict("a")


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_a_renewed_certificate_is_used_from_the_next_connection_on(
    addresses: Addresses, site: _Site, scheme: str, tmp_path: Path
) -> None:
    renewed = tmp_path / "other_ca.pem"
    site.other_ca.cert_pem.write_to_path(renewed)
    url = _url(addresses, scheme)
    with Client(url, 5.0, ca=site.authority) as connected:
        connected.predict("a")
        site.write(site.other_ca.issue_cert("localhost"), *site.files.values())

        assert _asked(url, ca=renewed) == "nobody"
        connected.predict("a")  # the old connection goes on


def test_a_renewed_client_authority_is_used_from_the_next_connection_on(mutual: Addresses, site: _Site) -> None:
    site.other_ca.cert_pem.write_to_path(site.client_authority)

    for scheme in _SCHEMES:
        with (
            Client(_url(mutual, scheme), 5.0, ca=site.authority, cert=site.pair) as client,
            pytest.raises(EspalierError),
        ):
            client.predict("a")
    site.write(site.other_ca.issue_cert("someone"), *site.pair)
    for scheme in _SCHEMES:
        assert _asked(_url(mutual, scheme), ca=site.authority, cert=site.pair) == "nobody"


def test_files_that_do_not_fit_leave_the_last_good_ones_in_use_and_raise_an_alarm(site: _Site) -> None:
    def alarms() -> float:
        return REGISTRY.get_sample_value("espalier_gate_files_rejected_total", {"file": "certificates"}) or 0

    clock = _Clock()
    with served(ServerTls(Tls(**site.files), clock)) as addresses:
        before = alarms()
        site.files["certificate"].write_text("half of a file")
        _asked(_url(addresses, "https"), ca=site.authority)
        assert alarms() == before  # the other file may be on its way

        clock.now = 10.0
        for scheme in _SCHEMES:
            _asked(_url(addresses, scheme), ca=site.authority)
        assert alarms() == before + 1
