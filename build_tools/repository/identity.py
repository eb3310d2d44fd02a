"""Whether a server serves this repository and not another one."""

import uuid
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from build_tools.repository.triton_config import read_config, write_config

ROUTER = "nlu"  # every server has it, and it is never changed once it stands
_PARAMETER = "espalier_repository"


def stamp(repository: Path) -> None:
    """Gives a new repository an identity, in its router's config, which a server that has it open can be asked for."""
    config = read_config(repository / ROUTER)
    config.parameters[_PARAMETER].string_value = uuid.uuid4().hex
    write_config(repository / ROUTER, config)


def identity_of(router: pb.ModelConfig) -> str:
    """The identity in a router's config; empty in the hand-written one."""
    return router.parameters[_PARAMETER].string_value if _PARAMETER in router.parameters else ""
