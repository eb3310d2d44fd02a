"""Reads the PEM files of TLS, and says in one sentence what is wrong with them."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from build_tools.errors import BuildError
from build_tools.serving.gate.settings import Tls


@dataclass(frozen=True)
class Certificates:
    """What the files of a Tls hold, checked.

    certificate: the server's with those between it and the authority. key: its private key. client_ca: see Tls.
    expires: when the server's certificate does. context: for HTTP.
    """

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires: datetime
    context: ssl.SSLContext


def read_certificates(tls: Tls) -> Certificates:
    """Raises BuildError if a file cannot be read, is not what it should be, has expired, or does not fit the others."""
    content = _read(tls.certificate)
    chain = _parsed(content, tls.certificate)
    _check_valid_now(chain[0], tls.certificate)
    key_content = _read(tls.key)
    key = _parsed_key(key_content, tls.key)
    if key.public_key() != chain[0].public_key():
        raise BuildError(
            f"{tls.key} is not the private key of the first certificate in {tls.certificate}: give the two that belong "
            "together, the server's own certificate first"
        )
    ca = None if tls.client_ca is None else _read(tls.client_ca)
    if tls.client_ca is not None and ca is not None:
        _check_authorities(_parsed(ca, tls.client_ca), tls.client_ca)
    return Certificates(content, key_content, ca, chain[0].not_valid_after_utc, _context(tls, ca))


def _context(tls: Tls, ca: bytes | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # TLS 1.2 and newer
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # a resumed session would skip the check of the client's certificate
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=ca.decode("ascii", errors="ignore"))
    except ssl.SSLError as error:  # a weak key, for instance
        raise BuildError(f"{tls.certificate} and {tls.key} cannot be used for TLS: {error.reason or error}") from error
    return context


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror}") from error


def _parsed(content: bytes, file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise BuildError(f"{file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)") from None


def _parsed_key(content: bytes, file: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, password=None)
    except TypeError:
        raise BuildError(f"the private key {file} has a password: give a key without one, readable by few") from None
    except Exception:  # UnsupportedAlgorithm and ValueError; their texts are about ASN.1
        raise BuildError(f"{file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)") from None


def _check_valid_now(certificate: x509.Certificate, file: Path) -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise BuildError(
            f"the certificate {file} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: renew it"
        )
    if now < certificate.not_valid_before_utc:
        raise BuildError(
            f"the certificate {file} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: set "
            "this machine's clock, or wait"
        )


def _check_authorities(certificates: Sequence[x509.Certificate], file: Path) -> None:
    authorities = [one for one in certificates if _is_authority(one)]
    if not authorities:
        raise BuildError(
            f"{file} holds no certificate of an authority: give the one that signs the clients' certificates"
        )
    now = datetime.now(UTC)
    if not any(one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in authorities):
        _check_valid_now(authorities[0], file)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1  # the oldest form, which has no extensions
