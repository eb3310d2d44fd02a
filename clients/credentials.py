"""What a client shows to a server, and how it knows the server: a key, certificates, or nothing."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from clients.address import Address
from clients.errors import RequestRejected

File = str | os.PathLike[str]
_KEY_FORM = re.compile(r"[!-~]+")  # what an HTTP header can carry


@dataclass(frozen=True)
class Credentials:
    """key: the client's key. ca: a PEM file of the authorities that are trusted; None trusts the system's.

    certificate: PEM files of the client's certificate and its private key, for servers that ask for one.
    Raises RequestRejected for a key that no header can carry.
    """

    key: str | None = field(default=None, repr=False)  # no traceback and no log may show it
    ca: Path | None = None
    certificate: tuple[Path, Path] | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not _KEY_FORM.fullmatch(self.key):
            raise RequestRejected("the key is empty or has characters that no key has: give it as it was printed")

    @classmethod
    def of(
        cls,
        key: str | None = None,
        ca: File | None = None,
        cert: tuple[File, File] | None = None,
    ) -> Self:
        """Makes them of a client's arguments. Raises RequestRejected if `cert` is not two paths."""
        if cert is not None and (isinstance(cert, str | bytes | os.PathLike) or len(cert) != 2):
            raise RequestRejected("cert must be two paths: (certificate file, private key file)")
        return cls(key, None if ca is None else Path(ca), None if cert is None else (Path(cert[0]), Path(cert[1])))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Reads ESPALIER_KEY or ESPALIER_KEY_FILE, ESPALIER_CA, and ESPALIER_CERT with ESPALIER_CERT_KEY.

        An empty variable counts as none. Raises RequestRejected if a file cannot be read or a variable is missing.
        """
        key, key_file, ca, cert, cert_key = (
            variables.get(f"ESPALIER_{name}") or None for name in ("KEY", "KEY_FILE", "CA", "CERT", "CERT_KEY")
        )
        if (cert is None) != (cert_key is None):
            raise RequestRejected("ESPALIER_CERT and ESPALIER_CERT_KEY need each other: set both, or none")
        if key is None and key_file is not None:
            key = _read(Path(key_file), "ESPALIER_KEY_FILE").decode("latin-1").strip()
        return cls.of(key, ca, None if cert is None or cert_key is None else (cert, cert_key))

    @classmethod
    def of_command_line(cls, address: Address) -> Self:
        """Those of the environment, of which certificates count only for an address with TLS."""
        found = cls.from_environment()
        return found if address.secure else replace(found, ca=None, certificate=None)

    @property
    def arguments(self) -> dict[str, Any]:
        """As Client takes them."""
        return {"key": self.key, "ca": self.ca, "cert": self.certificate}

    @property
    def headers(self) -> dict[str, str]:
        """The header, or gRPC metadata, that says who asks."""
        return {} if self.key is None else {"authorization": f"Bearer {self.key}"}

    def check_for(self, address: Address) -> None:
        """Raises RequestRejected if certificates are given for an address without TLS: they would do nothing."""
        if not address.secure and (self.ca or self.certificate):
            scheme = "https" if address.transport == "http" else "grpcs"
            raise RequestRejected(
                f"certificates are given, but {address.url} is an address without TLS: write "
                f"{scheme}://{address.target}, or leave them out"
            )

    def ssl_context(self) -> ssl.SSLContext:
        """Raises RequestRejected if a file is not what it should be."""
        if self.ca is not None:
            _read(self.ca, "ca")
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError:
            raise _no_certificate(self.ca) from None
        if self.certificate is not None:
            certificate, key = self.certificate
            for file in self.certificate:
                _read(file, "cert")
            try:
                context.load_cert_chain(certificate, key, password=_no_password)
            except ssl.SSLError as error:
                raise _no_pair(certificate, key, error.reason) from None
        return context


def system_authorities() -> Path | None:
    """The file of the authorities that this machine trusts. OpenSSL knows it by itself; gRPC must be told."""
    file = ssl.get_default_verify_paths().cafile
    return None if file is None else Path(file)


def _read(file: Path, name: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestRejected(f"{name}: {file} cannot be read: {error.strerror}") from None


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal, and wait.
    raise RequestRejected("cert: the private key has a password: give a key without one")


def _no_certificate(file: Path | None) -> RequestRejected:
    return RequestRejected(f"ca: {file} holds no certificate in PEM form: give the file of the authority that signed")


def _no_pair(certificate: Path, key: Path, reason: str | None) -> RequestRejected:
    if reason == "KEY_VALUES_MISMATCH":
        return RequestRejected(
            f"cert: {key} is not the private key of {certificate}: give the two that belong together"
        )
    return RequestRejected(f"cert: {certificate} and {key} are not a certificate and its private key in PEM form")
