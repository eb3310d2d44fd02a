"""TLS over gRPC: what a secure channel needs, and why one could not be made."""

import os
import re
from pathlib import Path

from tritonclient.grpc.aio import grpc  # tritonclient's own grpcio, whose version it chooses

from clients.credentials import Credentials, system_authorities
from clients.tls_reason import tls_reason

# gRPC puts OpenSSL's words at the end: "Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL
# routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate: OK".
_HANDSHAKE = re.compile(r"(?:Tls|Ssl) handshake failed.*?(?:OPENSSL_internal:(?P<name>\w+): (?P<words>[^:]*).*)?$")
_OTHER_NAME = re.compile(r"Hostname Verification Check failed|Peer name .* is not in peer certificate")


def channel_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    """Raises RequestRejected as ssl_context does: gRPC itself would only fail to connect."""
    credentials.ssl_context()
    certificate, key = credentials.certificate or (None, None)
    return grpc.ssl_channel_credentials(
        root_certificates=_roots(credentials.ca),
        private_key=None if key is None else key.read_bytes(),
        certificate_chain=None if certificate is None else certificate.read_bytes(),
    )


def untrusted_reason(sentence: str) -> str | None:
    """Returns why a TLS handshake failed, in OpenSSL's words, or None if the sentence is about something else."""
    if _OTHER_NAME.search(sentence):
        return "its certificate is for another host name"
    found = _HANDSHAKE.search(sentence)
    if found is None:
        return None
    if found["name"] == "CERTIFICATE_VERIFY_FAILED":
        return found["words"]
    return tls_reason(found["name"] or "")


def _roots(ca: Path | None) -> bytes | None:
    """The authorities. gRPC by itself does not know the system's. None leaves the choice to gRPC."""
    if ca is not None:
        return ca.read_bytes()
    if os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        return None
    system = system_authorities()
    return None if system is None else system.read_bytes()
