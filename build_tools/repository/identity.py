"""An identity for each repository, by which a command knows whether a server serves this repository."""

import uuid
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.repository.triton_config import read_config, write_config

ROUTER = "nlu"  # every server has it, and no command changes it after the build
_PARAMETER = "espalier_repository"


def stamp(repository: Path) -> None:
    """Writes a new identity into the router's config, where a running server can be asked for it."""
    config = read_config(repository / ROUTER)
    config.parameters[_PARAMETER].string_value = uuid.uuid4().hex
    write_config(repository / ROUTER, config)


def identity_of(router: pb.ModelConfig) -> str:
    """Returns the identity in a router's config; empty for the hand-written one."""
    return router.parameters[_PARAMETER].string_value if _PARAMETER in router.parameters else ""
