"""The key that opens Triton's gRPC endpoint: only gate and supervisor have it."""

import secrets

# Triton takes a key named NAME from metadata named triton-grpc-protocol-NAME.
_NAME = "espalier"
KEY_METADATA = f"triton-grpc-protocol-{_NAME}"
# Every group of calls that tritonserver 2.51 knows.
_GROUPS = (
    "health",
    "metadata",
    "inference",
    "shared-memory",
    "model-config",
    "model-repository",
    "statistics",
    "trace",
    "logging",
)


def new_triton_key() -> str:
    """Returns a random key."""
    return secrets.token_urlsafe(32)


def restriction(key: str) -> str:
    """The argument of tritonserver that closes every group of calls to who does not send the key."""
    return f"--grpc-restricted-protocol={','.join(_GROUPS)}:{_NAME}={key}"
