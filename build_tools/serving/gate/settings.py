"""What a gate process is told when it starts."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from training.atomic_write import replace_file


class Tls(BaseModel):
    """PEM files. client_ca: if set, clients must show a certificate that it signed (mutual TLS)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Limits(BaseModel):
    """Bounds of one server, all gate processes together where nothing else is said.

    body: bytes of a message, also after decompression. header: bytes of all headers. texts: of one request.
    stream_seconds: how long a stream may stay open. connections: open at once, of each gate process.
    in_flight: requests inside at once. default_seconds: the deadline of a request that brings none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    body: int = 16 * 2**20
    header: int = 16 * 2**10
    texts: int = 64
    stream_seconds: float = 3600.0
    connections: int = 1000
    in_flight: int = 512
    default_seconds: float = 30.0


class GateSettings(BaseModel):
    """Of all gate processes of one server. They listen on the same ports (SO_REUSEPORT).

    triton: host:port of Triton's gRPC endpoint, which is open only to who sends `triton_key`. repository: the model
    repository, of which the gate reads registry.json and control.key. state: the file of serving/state.py. keys: the
    file of client keys; None lets everybody in. access_log: a file, or `-` for standard output; None writes none.
    access_log_texts: also write what was asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str
    grpc_port: int
    http_port: int
    workers: int
    triton: str
    triton_key: str
    repository: Path
    state: Path
    keys: Path | None = None
    tls: Tls | None = None
    access_log: str | None = None
    access_log_texts: bool = False
    limits: Limits = Limits()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads what `write` wrote."""
        return cls.model_validate_json(file.read_bytes())

    def write(self, file: Path) -> None:
        """Writes the settings. They hold Triton's key: the file must be in a folder of this user alone."""
        replace_file(file, self.model_dump_json(), staged_in=file.parent)
