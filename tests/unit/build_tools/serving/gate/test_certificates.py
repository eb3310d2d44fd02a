from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from build_tools.errors import BuildError
from build_tools.serving.gate.certificates import read_certificates
from build_tools.serving.gate.settings import Tls


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(ca: trustme.CA, tmp_path: Path) -> Tls:
    """Good files, for a test to spoil."""
    tls = Tls(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem", client_ca=tmp_path / "ca.pem")
    _write(tls, ca.issue_cert("localhost"))
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tls


def _write(tls: Tls, leaf: trustme.LeafCert) -> None:
    tls.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(tls.key)


def test_good_files_are_taken(tls: Tls) -> None:
    assert read_certificates(tls).expires > datetime.now(UTC)


@pytest.mark.parametrize("file", ["certificate", "key", "client_ca"])
def test_a_file_that_is_missing_or_something_else_is_named(tls: Tls, file: str) -> None:
    path = getattr(tls, file)
    path.write_text("not PEM")
    with pytest.raises(BuildError, match=f"{path} holds no "):
        read_certificates(tls)

    path.unlink()
    with pytest.raises(BuildError, match=f"{path} cannot be read: No such file"):
        read_certificates(tls)


def test_a_key_of_another_certificate_is_named(tls: Tls, ca: trustme.CA) -> None:
    ca.issue_cert("localhost").private_key_pem.write_to_path(tls.key)

    with pytest.raises(BuildError, match=f"{tls.key} is not the private key of the first certificate"):
        read_certificates(tls)


def test_a_key_with_a_password_is_named_and_nobody_is_asked_for_it(tls: Tls) -> None:
    key = load_pem_private_key(tls.key.read_bytes(), None)
    tls.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))

    with pytest.raises(BuildError, match="has a password: give a key without one"):
        read_certificates(tls)


@pytest.mark.parametrize(("from_days", "to_days", "said"), [(-2, -1, "expired on"), (1, 2, "is valid only from")])
def test_a_certificate_out_of_its_time_is_named(
    tls: Tls, ca: trustme.CA, from_days: int, to_days: int, said: str
) -> None:
    now = datetime.now(UTC)
    times = {"not_before": now + timedelta(days=from_days), "not_after": now + timedelta(days=to_days)}
    _write(tls, ca.issue_cert("localhost", **times))

    with pytest.raises(BuildError, match=f"{tls.certificate} {said}"):
        read_certificates(tls)


def test_a_client_ca_that_is_no_authority_is_named(tls: Tls) -> None:
    assert tls.client_ca is not None
    tls.client_ca.write_bytes(tls.certificate.read_bytes())

    with pytest.raises(BuildError, match=r"ca\.pem holds no certificate of an authority"):
        read_certificates(tls)
