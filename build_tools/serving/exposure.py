"""Who can reach the server, and what `espalier serve` says about it."""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from build_tools.serving.errors import ServeError
from build_tools.serving.gate.key_file import read_key_file
from build_tools.serving.gate.settings import Tls


@dataclass(frozen=True)
class Exposure:
    """keys, tls: as GateSettings takes them, with absolute paths. lines: what to print at start, one sentence each."""

    keys: Path | None
    tls: Tls | None
    lines: tuple[str, ...]


def choose_exposure(
    host: str,
    keys: Path | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    client_ca: Path | None = None,
    insecure: bool = False,
) -> Exposure:
    """Returns what the options ask for. It reads no file; see check_files.

    Raises ServeError if options are missing for each other, or if others than this machine could ask without TLS, or
    without saying who they are, and `insecure` does not say that this is meant.
    """
    # Absolute, as gate processes run elsewhere; links are kept, because certificates are often renewed by moving them.
    keys, tls_cert, tls_key, client_ca = (
        None if file is None else file.absolute() for file in (keys, tls_cert, tls_key, client_ca)
    )
    if (tls_cert is None) != (tls_key is None):
        given, missing = ("--tls-cert", "--tls-key") if tls_key is None else ("--tls-key", "--tls-cert")
        raise ServeError(f"{given} needs {missing} too: give the certificate and its private key, both as PEM files")
    if client_ca is not None and tls_cert is None:
        raise ServeError("--client-ca needs --tls-cert and --tls-key: clients show a certificate only over TLS")
    tls = None if tls_cert is None or tls_key is None else Tls(certificate=tls_cert, key=tls_key, client_ca=client_ca)
    lines = []
    if not _only_this_machine(host):
        open_to_others = [*_missing_tls(tls), *_missing_identity(keys, client_ca)]
        if open_to_others and not insecure:
            raise ServeError(
                f"--host {host} lets other machines ask, and {' and '.join(what for what, _ in open_to_others)}: give "
                f"{' and '.join(option for _, option in open_to_others)}, or --insecure if the network is trusted"
            )
        lines.append(f"Other machines can ask (--host {host}), and read the metrics without a key.")
        lines += [f"INSECURE: other machines can ask, and {what}." for what, _ in open_to_others]
    if keys is not None:
        lines.append(f"Clients need a key of {keys} (`espalier keys add` makes one).")
    if client_ca is not None:
        lines.append(f"Clients need a certificate signed by {client_ca}.")
    return Exposure(keys, tls, tuple(lines))


def check_files(exposure: Exposure) -> None:
    """Raises BuildError if a key or certificate cannot be used: at the start, before minutes of loading models."""
    if exposure.keys is not None:
        read_key_file(exposure.keys)
    if exposure.tls is not None:
        from build_tools.serving.gate.certificates import read_certificates  # `cryptography` takes a while to load

        read_certificates(exposure.tls)


def _missing_tls(tls: Tls | None) -> list[tuple[str, str]]:
    return [] if tls else [("texts and keys travel unencrypted", "--tls-cert and --tls-key")]


def _missing_identity(keys: Path | None, client_ca: Path | None) -> list[tuple[str, str]]:
    return [] if keys or client_ca else [("everybody who reaches the port may ask", "--keys or --client-ca")]


def _only_this_machine(host: str) -> bool:
    """Whether all addresses of `host` are loopback ones. Raises ServeError if the name cannot be resolved."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise ServeError(f"cannot listen on {host}: {error}") from error
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)
