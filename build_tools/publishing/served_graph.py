"""Golden examples asked of a version on the running server."""

from collections.abc import Iterable, Mapping

import numpy as np

from build_tools.golden.parity import check_golden
from build_tools.publishing.running_server import Server, Tensors
from build_tools.repository.triton_config import NEWEST
from training.checkpoint import Checkpoint


class ServedGraph:
    """A version of a model on a server, in the place of a loaded graph."""

    def __init__(self, server: Server, model: str, version: int) -> None:
        self._server, self._model, self._version = server, model, version

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> Tensors:
        """The outputs asked for. Raises BuildError if the server refuses."""
        return self._server.infer(self._model, self._version, inputs, asked)


def check_served(checkpoint: Checkpoint, server: Server, trunk: str, model: str, version: int, exact: bool) -> None:
    """Runs the golden examples through trunk and branch as they are served now. See check_golden."""
    check_golden(checkpoint, ServedGraph(server, trunk, NEWEST), ServedGraph(server, model, version), exact)
