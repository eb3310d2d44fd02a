"""TLS of both protocols. Certificates that are replaced on disk are used from the next connection on."""

import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Gauge
from tritonclient.grpc.aio import grpc  # tritonclient's own grpcio, whose version it chooses

from build_tools.errors import BuildError
from build_tools.serving.gate.certificates import Certificates, read_certificates
from build_tools.serving.gate.file_alarm import alarm
from build_tools.serving.gate.settings import Tls

_PATIENCE_SECONDS = 5.0  # for files that are replaced one after the other
_EXPIRES = Gauge(
    "espalier_gate_certificate_expires_seconds",
    "When the server's certificate expires, in seconds since 1970.",
    multiprocess_mode="livemin",
)

_Stamp = tuple[tuple[int, int] | None, ...]  # time of the last change and inode of each file


class ServerTls:
    """The certificates of one gate process. Each new connection looks whether the files have changed.

    Files that do not fit each other leave the last good ones in use, with an alarm if they stay so for some seconds.
    Raises BuildError if they cannot be used at the start. Threads can share it: gRPC asks from its own.
    """

    def __init__(self, tls: Tls, clock: Callable[[], float] = time.monotonic) -> None:
        self._tls = tls
        self._files = [file for file in (tls.certificate, tls.key, tls.client_ca) if file is not None]
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._used = self._taken()
        self._told = self._used  # what gRPC has been told
        self._problem: tuple[BuildError, float] | None = None
        self._alarm = alarm("certificates", tls.certificate)

    def http_context(self) -> ssl.SSLContext:
        """Returns a context whose connections each use the newest certificates."""
        context = read_certificates(self._tls).context
        context.sni_callback = self._choose  # called for each connection, also for clients that name no host
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials whose connections each use the newest certificates."""
        self._told = self._look()
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._told), self._changed, require_client_authentication=self._tls.client_ca is not None
        )

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._look().context

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        used = self._look()
        if used is self._told:
            return None
        self._told = used
        return _configuration(used)

    def _look(self) -> Certificates:
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp  # before reading, so that a replacement in between is seen at the next look
                try:
                    self._used = self._taken()
                    self._problem = None
                except BuildError as error:
                    self._problem = (error, self._clock())
            elif self._problem is not None and self._clock() - self._problem[1] >= _PATIENCE_SECONDS:
                self._alarm(self._problem[0])
                self._problem = None
            return self._used

    def _taken(self) -> Certificates:
        taken = read_certificates(self._tls)
        _EXPIRES.set(taken.expires.timestamp())
        return taken

    def _stamp(self) -> _Stamp:
        return tuple(map(_stamp_of, self._files))


def _configuration(used: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(used.key, used.certificate)], used.client_ca)


def _stamp_of(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
